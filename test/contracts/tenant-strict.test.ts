import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { generateSync } from 'otplib';
import { startTenant, type Tenant } from '../../src/tenant/index.ts';
import { createBrowser, type Page } from '../helpers/browser-jar.ts';
import { callback, claimsOf, createApplication } from '../helpers/tenant-application.ts';

// Where a milder tenant let a wrong application pass: each of these is what Auth0 answers.
const orders = 'https://orders.example/';
const grant_types = [
  'authorization_code',
  'refresh_token',
  'password',
  'http://auth0.com/oauth/grant-type/mfa-otp',
];
const methodScope = 'read:me:authentication_methods delete:me:authentication_methods';
const app = createApplication({
  grant_types,
  refresh_token_policies: [{ scope: methodScope.split(' ') }],
});

let tenant: Tenant;
beforeAll(async () => {
  tenant = await startTenant({
    clients: [app.client],
    resource_servers: [{ audience: orders, scopes: ['read:orders'] }],
    limits: { enforced: false },
  });
  app.use(tenant);
});
beforeEach(() => {
  tenant.reset();
});
afterAll(async () => {
  await tenant.close();
});

const errorAt = ({ url }: Page) => [
  url.searchParams.get('error'),
  url.searchParams.get('error_description'),
];
const later = (seconds: number) => tenant.configure({ clockOffsetSeconds: seconds });
const mine = () => `${tenant.url}/me/`;
const elsewhere = {
  audience: orders,
  scope: 'openid offline_access read:orders',
};
async function ask(method: string, path: string, token: string, body?: object) {
  const response = await fetch(`${tenant.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as never };
}

describe('the Default Policy', () => {
  beforeEach(() => {
    tenant.configure({ my_account: { default_policy: 'require_2fa' } });
  });

  test('is not walked around by a sign-in for another API and a refresh for this one', async () => {
    const { refresh_token } = await app.signIn(elsewhere);
    const refused = await app.refresh(refresh_token, { audience: mine() });
    expect(refused).toMatchObject({ status: 403, error: 'mfa_required' });
    // For the API of the sign-in it does not hold.
    expect((await app.refresh(refresh_token)).status).toBe(200);
  });

  test('nor by the password', async () => {
    const { email: username, password } = tenant.demoUser;
    const { refresh_token } = await app.token({
      grant_type: 'password',
      username,
      password,
      ...elsewhere,
    });
    const refused = await app.refresh(refresh_token, { audience: mine() });
    expect(refused.error).toBe('mfa_required');
  });

  test('lets a user without any factor through for fifteen minutes after the sign-in', async () => {
    const person = { email: 'bare@example.com', password: 'Passw0rd' };
    tenant.users.add({ ...person, email_verified: false });
    const { refresh_token } = await app.signIn(elsewhere, { person });
    const refreshed = await app.refresh(refresh_token, { audience: mine() });
    expect(refreshed.status).toBe(200);
    later(16 * 60);
    const refused = await app.refresh(refreshed.refresh_token, { audience: mine() });
    expect(refused.error).toBe('unmet_authentication_requirements');
  });
});

describe('the MFA API', () => {
  const demanded = async (username: string, password: string) => {
    const answer = await app.token({ grant_type: 'password', username, password });
    expect(answer.error).toBe('mfa_required');
    return answer.mfa_token ?? '';
  };

  test('lists authenticators with the type by which Auth0’s SDKs filter', async () => {
    const methods = [
      { type: 'totp' as const },
      { type: 'phone' as const, phone_number: '+15550001111' },
      { type: 'email' as const },
      { type: 'push-notification' as const },
      { type: 'recovery-code' as const },
    ];
    tenant.users.add({ email: 'many@example.com', password: 'pw', methods });
    tenant.configure({ mfa: { always: true } });
    const token = await demanded('many@example.com', 'pw');
    const { body } = await ask('GET', '/mfa/authenticators', token);
    expect(body as { type: string }[]).toMatchObject([
      { type: 'otp', authenticator_type: 'otp' },
      { type: 'push-notification', authenticator_type: 'oob', oob_channel: 'auth0' },
      { type: 'phone', oob_channel: 'sms' },
      { type: 'email', oob_channel: 'email' },
      { type: 'recovery-code', authenticator_type: 'recovery-code' },
    ]);
  });

  test('answers the first association with a recovery code, which is good once that is proved', async () => {
    tenant.users.add({ email: 'new@example.com', password: 'pw', email_verified: false });
    tenant.configure({ mfa: { always: true } });
    const mfa_token = await demanded('new@example.com', 'pw');
    const made = await ask('POST', '/mfa/associate', mfa_token, { authenticator_types: ['otp'] });
    const { secret, recovery_codes } = made.body as { secret: string; recovery_codes: string[] };
    expect(recovery_codes).toEqual([expect.stringMatching(/^[A-Z0-9]{24}$/)]);
    const kinds = () => tenant.users.find('new@example.com')?.methods.map(({ type }) => type) ?? [];
    expect(kinds()).toContain('recovery-code');
    const grant_type = 'http://auth0.com/oauth/grant-type/mfa-otp';
    const otp = generateSync({ secret });
    expect(await app.token({ grant_type, mfa_token, otp })).toMatchObject({ status: 200 });
    const { body } = await ask(
      'GET',
      '/mfa/authenticators',
      await demanded('new@example.com', 'pw'),
    );
    expect((body as { type: string }[]).map(({ type }) => type)).toEqual(['otp', 'recovery-code']);
  });
});

describe('at /authorize', () => {
  const person = { email: 'ann@example.com', password: 'Passw0rd' };
  const block = async (blocked: boolean) =>
    fetch(`${tenant.url}/_control/users/${person.email}`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ blocked }),
    });

  test('a user who was blocked while signed in goes back to the application with the error', async () => {
    tenant.users.add(person);
    const browser = createBrowser();
    const { refresh_token } = await app.signIn({}, { browser, person });
    await block(true);
    for (const prompt of [undefined, 'none'])
      expect(errorAt(await app.authorize({ prompt }, browser))).toEqual([
        'unauthorized',
        'user is blocked',
      ]);
    expect((await app.refresh(refresh_token)).status).toBe(403);
    await block(false);
    expect((await app.authorize({ prompt: 'none' }, browser)).url.searchParams.has('code')).toBe(
      true,
    );
  });

  test('a blocked user who signs in does too', async () => {
    tenant.users.add({ ...person, blocked: true });
    const browser = createBrowser();
    const page = await app.authorize({}, browser);
    const { email: username, password } = person;
    const back = await browser.submit(page, { username, password }, { stopAt: callback });
    expect(errorAt(back)).toEqual(['unauthorized', 'user is blocked']);
  });

  test('a user whom an Action denies is denied silently too, until it does no more', async () => {
    tenant.users.add(person);
    tenant.configure({ denied_users: { [person.email]: 'Not today.' } });
    const browser = createBrowser();
    const page = await app.authorize({}, browser);
    const { email: username, password } = person;
    const back = await browser.submit(page, { username, password }, { stopAt: callback });
    const denied = ['access_denied', 'Not today.'];
    expect(errorAt(back)).toEqual(denied);
    expect(errorAt(await app.authorize({}, browser))).toEqual(denied);
    expect(errorAt(await app.authorize({ prompt: 'none' }, browser))).toEqual(denied);
    // Somebody else may still sign in.
    const login = await app.authorize({ prompt: 'login' }, browser);
    expect(login.url.pathname).toBe('/u/login');
    tenant.configure({ denied_users: null });
    expect((await app.authorize({}, browser)).url.searchParams.has('code')).toBe(true);
  });
});

test('the request log shows no parameter that could be used again', async () => {
  const secret = 'canary-0123456789';
  const names = ['access_token', 'id_token_hint', 'code', 'ticket', 'token', 'mfa_token'];
  for (const name of [...names, 'anything', 'client_secret', 'login_ticket'])
    await fetch(`${tenant.url}/userinfo?${name}=${secret}`, {
      headers: { referer: `${tenant.url}/u/login?state=${secret}`, 'proxy-authorization': secret },
    });
  await fetch(`${tenant.url}/authorize?client_id=app&scope=openid&audience=${orders}`, {
    redirect: 'manual',
  });
  const log = JSON.stringify(tenant.requests());
  expect(log).toContain('(hidden)');
  expect(log).not.toContain(secret);
  expect(tenant.requests().at(-1)?.query).toMatchObject({ client_id: 'app', audience: orders });
});

describe('rotation', () => {
  test('is the application’s own: one rotates, the other keeps its token', async () => {
    const clients = (refresh_token: object) => [{ ...app.client, refresh_token }];
    tenant.configure({ clients: clients({ rotation_type: 'non-rotating' }) });
    const kept = await app.signIn();
    const refreshed = await app.refresh(kept.refresh_token);
    expect([refreshed.status, refreshed.refresh_token]).toEqual([200, undefined]);
    expect((await app.refresh(kept.refresh_token)).status).toBe(200);

    tenant.configure({ clients: clients({ rotation_type: 'rotating', leeway: 30 }) });
    const first = await app.signIn();
    const second = await app.refresh(first.refresh_token);
    expect(second.refresh_token).not.toBe(first.refresh_token);
    expect((await app.refresh(first.refresh_token)).status).toBe(200);
  });

  test('a policy without an audience is for the My Account API, wherever the tenant is', async () => {
    const { refresh_token } = await app.signIn(elsewhere);
    const answer = await app.refresh(refresh_token, { audience: mine() });
    expect(claimsOf(answer.access_token)).toMatchObject({
      aud: [mine(), `${tenant.url}/userinfo`],
      scope: expect.stringContaining('delete:me:authentication_methods') as unknown,
    });
  });
});

describe('what Auth0’s API is created with', () => {
  test('tokens for it live 600 seconds', async () => {
    expect((await app.signIn()).expires_in).toBe(600);
    expect((await app.signIn(elsewhere)).expires_in).toBe(86_400);
  });

  test('a wrong secret is access_denied, a wrong assertion invalid_client, both 401', async () => {
    const wrong = { grant_type: 'refresh_token', refresh_token: 'x' };
    expect(await app.token({ ...wrong, client_secret: 'no' })).toMatchObject({
      status: 401,
      error: 'access_denied',
      error_description: 'Unauthorized',
    });
    const jwks = { keys: [{ kty: 'RSA', n: 'AQAB', e: 'AQAB' }] };
    const token_endpoint_auth_method = 'private_key_jwt';
    tenant.configure({ clients: [{ client_id: 'app', token_endpoint_auth_method, jwks }] });
    const assertion = {
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: 'e30.e30.e30',
      client_secret: undefined,
    };
    expect(await app.token({ ...wrong, ...assertion }, { json: true })).toMatchObject({
      status: 401,
      error: 'invalid_client',
    });
  });

  test('a grant that is off says where to read about it', async () => {
    expect(await app.token({ grant_type: 'client_credentials', audience: 'x' })).toMatchObject({
      status: 403,
      error: 'unauthorized_client',
      error_uri: expect.stringMatching(/^https:\/\/auth0\.com\/docs\//) as unknown,
    });
  });
});
