import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { startTenant, type Tenant } from '../../src/tenant/index.ts';
import { createBrowser } from '../helpers/browser-jar.ts';
import { createApplication } from '../helpers/tenant-application.ts';

// Auth0, "Online Refresh Tokens" (beta): bound to the session at Auth0, not rotated.
const app = createApplication();
const scope = 'openid online_access read:me:authentication_methods';
const later = (seconds: number) => tenant.configure({ clockOffsetSeconds: seconds });

let tenant: Tenant;
beforeAll(async () => {
  tenant = await startTenant({ clients: [app.client], limits: { enforced: false } });
  app.use(tenant);
});
beforeEach(() => {
  tenant.reset();
});
afterAll(async () => {
  await tenant.close();
});

const post = (path: string, members: Record<string, string>, json = false) =>
  fetch(`${tenant.url}${path}`, {
    method: 'POST',
    headers: json ? { 'content-type': 'application/json' } : {},
    body: json ? JSON.stringify(members) : new URLSearchParams(members),
  });

test('a refresh gives an access token and no other refresh token, as often as it is asked', async () => {
  const { refresh_token, scope: granted } = await app.signIn({ scope });
  expect(refresh_token).toBeDefined();
  expect(granted?.split(' ')).toContain('online_access');
  for (const _ of [1, 2, 3]) {
    const answer = await app.refresh(refresh_token);
    expect([answer.status, answer.refresh_token]).toEqual([200, undefined]);
    expect(answer.access_token).toBeDefined();
  }
});

test('many at once are all answered: nothing is rotated that could be used twice', async () => {
  const { refresh_token } = await app.signIn({ scope });
  const all = await Promise.all(Array.from({ length: 5 }, () => app.refresh(refresh_token)));
  expect(all.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
});

test('it ends with the session at Auth0, at its next use', async () => {
  const { refresh_token } = await app.signIn({ scope });
  await post('/_control/logout', { email: tenant.demoUser.email }, true);
  expect(await app.refresh(refresh_token)).toMatchObject({ status: 403, error: 'invalid_grant' });
});

test('each use extends the session, without any it runs out', async () => {
  tenant.configure({ tokens: { sessionSeconds: 1000 } });
  const browser = createBrowser();
  const { refresh_token } = await app.signIn({ scope }, { browser });
  for (const seconds of [900, 1800, 2700]) {
    later(seconds);
    expect((await app.refresh(refresh_token)).status).toBe(200);
  }
  expect((await app.authorize({ prompt: 'none' }, browser)).url.searchParams.has('code')).toBe(
    true,
  );
  later(4000);
  expect(await app.refresh(refresh_token)).toMatchObject({ status: 403, error: 'invalid_grant' });
});

test('revoking one ends the session', async () => {
  const browser = createBrowser();
  const { refresh_token = '' } = await app.signIn({ scope }, { browser });
  const client = { client_id: 'app', client_secret: 'app-secret' };
  expect((await post('/oauth/revoke', { ...client, token: refresh_token })).status).toBe(200);
  const page = await app.authorize({ prompt: 'none' }, browser);
  expect(page.url.searchParams.get('error')).toBe('login_required');
});

test('with offline_access it is invalid_request', async () => {
  const page = await app.authorize({ scope: `${scope} offline_access` });
  expect(page.url.searchParams.get('error')).toBe('invalid_request');
});

test('where the API does not allow it the scope is dropped and there is no refresh token', async () => {
  tenant.configure({ my_account: { allow_online_access: false } });
  const answer = await app.signIn({ scope });
  expect([answer.status, answer.refresh_token]).toEqual([200, undefined]);
  expect(answer.scope).not.toContain('online_access');
});

test('an offline token outlives the session still', async () => {
  const { refresh_token } = await app.signIn({ scope: 'openid offline_access' });
  await post('/_control/logout', { email: tenant.demoUser.email }, true);
  expect((await app.refresh(refresh_token)).status).toBe(200);
});
