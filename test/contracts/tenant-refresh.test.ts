import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startTenant, type Tenant } from '../../src/tenant/index.ts';
import { createBrowser } from '../helpers/browser-jar.ts';
import {
  callback,
  claimsOf,
  createApplication,
  type TokenAnswer,
} from '../helpers/tenant-application.ts';

const api = 'https://orders.example/';
const app = createApplication({
  refresh_token_policies: [{ audience: api, scope: ['read:orders', 'write:orders', 'no:such'] }],
});
const scope =
  'openid offline_access read:me:authentication_methods delete:me:authentication_methods';
const granted = ['read:me:authentication_methods', 'read:me:factors'];

let tenant: Tenant;
beforeAll(async () => {
  tenant = await startTenant({
    clients: [app.client],
    grants: [{ client_id: 'app', scope: granted }],
    resource_servers: [{ audience: api, scopes: ['read:orders', 'write:orders'] }],
  });
  app.use(tenant);
});
beforeEach(() => {
  tenant.reset();
});
afterAll(async () => {
  await tenant.close();
});

const audiences = ({ access_token }: TokenAnswer): unknown => claimsOf(access_token)['aud'];
const mine = () => [`${tenant.url}/me/`, `${tenant.url}/userinfo`];
const later = (seconds: number) => tenant.configure({ clockOffsetSeconds: seconds });

describe('which scopes a sign-in gets', () => {
  test('what the client grant leaves, the rest dropped without a word', async () => {
    const answer = await app.signIn({ scope });
    expect([answer.scope, claimsOf(answer.access_token)['scope']]).toEqual(
      Array(2).fill('openid offline_access read:me:authentication_methods'),
    );
  });

  test('all of them with allow_all', async () => {
    tenant.configure({ my_account: { user_policy: 'allow_all' } });
    expect((await app.signIn({ scope })).scope).toBe(scope);
  });

  test('with RBAC only those the user has a permission for, and the token lists the permissions', async () => {
    tenant.configure({ my_account: { rbac: true } });
    const permissions = { [`${tenant.url}/me/`]: ['read:me:factors'] };
    tenant.users.add({ email: 'role@example.com', password: 'Passw0rd', permissions });
    const wanted = 'openid read:me:authentication_methods read:me:factors';
    const answer = await app.signIn(
      { scope: wanted },
      { person: { email: 'role@example.com', password: 'Passw0rd' } },
    );
    expect(answer.scope).toBe('openid read:me:factors');
    expect(claimsOf(answer.access_token)['permissions']).toEqual(['read:me:factors']);
  });

  test('none where the API is not activated: the audience is not known', async () => {
    tenant.configure({ my_account: { activated: false } });
    const page = await app.authorize({ scope });
    expect(page.url.searchParams.get('error')).toBe('access_denied');
  });
});

describe('a refresh', () => {
  test('gives the scopes of the sign-in, or fewer when asked', async () => {
    const signedIn = await app.signIn({ scope });
    const all = await app.refresh(signedIn.refresh_token);
    expect(all.scope).toBe('openid offline_access read:me:authentication_methods');
    const fewer = await app.refresh(all.refresh_token, {
      scope: 'openid delete:me:authentication_methods',
    });
    expect([fewer.scope, fewer.status]).toEqual(['openid', 200]);
    const again = await app.refresh(fewer.refresh_token);
    expect(again.scope).toBe(all.scope);
  });

  test('for an audience of the application’s policy gives that audience and its scopes', async () => {
    const { refresh_token } = await app.signIn({ scope });
    const other = await app.refresh(refresh_token, { audience: api });
    expect(audiences(other)).toContain(api);
    expect(other.scope).toMatch(/read:orders write:orders/);
    expect(other.scope).not.toContain('no:such');
    expect(audiences(await app.refresh(other.refresh_token))).toEqual(mine());
  });

  test('for an audience outside the policy silently gives the one of the sign-in', async () => {
    const { refresh_token } = await app.signIn({ scope });
    expect(audiences(await app.refresh(refresh_token, { audience: 'https://nowhere/' }))).toEqual(
      mine(),
    );
  });

  test('within the leeway takes the token before the newest once more, after it none', async () => {
    tenant.configure({ tokens: { refreshLeewaySeconds: 30 } });
    const { refresh_token: first } = await app.signIn({ scope });
    const second = await app.refresh(first);
    expect((await app.refresh(first)).status).toBe(200);
    later(31);
    expect((await app.refresh(first)).status).toBe(403);
    expect((await app.refresh(second.refresh_token)).status).toBe(403);
  });

  test('ends when the family does, however often it was rotated', async () => {
    tenant.configure({ tokens: { refreshTokenSeconds: 1000 } });
    const { refresh_token } = await app.signIn({ scope });
    later(900);
    const rotated = await app.refresh(refresh_token);
    expect(rotated.status).toBe(200);
    later(1001);
    expect(await app.refresh(rotated.refresh_token)).toMatchObject({
      status: 403,
      error: 'invalid_grant',
    });
  });

  test('says so when the user is gone', async () => {
    const [user] = tenant.users.add({ email: 'gone@example.com', password: 'Passw0rd' });
    const { refresh_token } = await app.signIn(
      { scope },
      { person: { email: 'gone@example.com', password: 'Passw0rd' } },
    );
    await fetch(`${tenant.url}/_control/users/${encodeURIComponent(user?.user_id ?? '')}`, {
      method: 'DELETE',
    });
    expect(await app.refresh(refresh_token)).toMatchObject({
      status: 403,
      error: 'invalid_grant',
      error_description: "The refresh_token was generated for a user who doesn't exist anymore.",
    });
  });
});

describe('the Default Policy, "Require 2FA"', () => {
  beforeEach(() => {
    tenant.configure({ my_account: { default_policy: 'require_2fa' } });
  });

  test('asks at the sign-in, lets refreshes through for 15 minutes, then demands a challenge', async () => {
    const signedIn = await app.signIn({ scope });
    later(14 * 60);
    const refreshed = await app.refresh(signedIn.refresh_token);
    expect(refreshed.status).toBe(200);
    later(16 * 60);
    const demanded = await app.refresh(refreshed.refresh_token);
    expect(demanded).toMatchObject({
      status: 403,
      error: 'mfa_required',
      mfa_token: expect.anything(),
    });
    expect(demanded.mfa_requirements).toMatchObject({ challenge: [{ type: 'otp' }] });
  });

  test('the switch for its status', async () => {
    tenant.configure({ switches: { mfaRequiredStatus: 401 } });
    const { refresh_token } = await app.signIn({ scope });
    later(16 * 60);
    expect(await app.refresh(refresh_token)).toMatchObject({ status: 401, error: 'mfa_required' });
  });

  test('a user who can prove nothing gets in once, and after 15 minutes must sign in again', async () => {
    tenant.users.add({ email: 'bare@example.com', password: 'Passw0rd', email_verified: false });
    const { refresh_token } = await app.signIn(
      { scope },
      { person: { email: 'bare@example.com', password: 'Passw0rd' } },
    );
    later(14 * 60);
    const refreshed = await app.refresh(refresh_token);
    expect(refreshed.status).toBe(200);
    later(16 * 60);
    expect(await app.refresh(refreshed.refresh_token)).toMatchObject({
      status: 403,
      error: 'unmet_authentication_requirements',
    });
  });

  test('does not hold for other APIs', async () => {
    const { refresh_token } = await app.signIn({ scope });
    later(16 * 60);
    expect((await app.refresh(refresh_token, { audience: api })).status).toBe(200);
  });

  test('a silent sign-in after 15 minutes is unmet_authentication_requirements', async () => {
    const browser = createBrowser();
    await browser.signIn(await app.authorize({ scope }, browser), tenant.demoUser, {
      stopAt: callback,
    });
    later(16 * 60);
    const page = await app.authorize({ scope, prompt: 'none' }, browser);
    expect(page.url.searchParams.get('error')).toBe('unmet_authentication_requirements');
  });
});
