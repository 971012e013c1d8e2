import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startTenant, type Tenant } from '../../src/tenant/index.ts';
import { createAuthenticator, type CreationOptions } from '../helpers/authenticator.ts';
import { createApplication, type Application } from '../helpers/tenant-application.ts';

const scopes =
  'openid read:me:factors read:me:authentication_methods create:me:authentication_methods create:me:connected_accounts read:me:connected_accounts';
const redirect_uri = 'http://localhost:3999/connected';

let tenant: Tenant;
let app: Application;
let token = '';

beforeAll(async () => {
  app = createApplication({ callbacks: ['http://localhost:3999/callback', redirect_uri] });
  tenant = await startTenant({ clients: [app.client], limits: { enforced: false } });
  app.use(tenant);
  token = (await app.signIn({ scope: scopes })).access_token;
});
afterAll(async () => {
  await tenant.close();
});

async function call(method: string, path: string, body?: object, bearer = token) {
  const response = await fetch(`${tenant.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  };
}
const start = (body: object) => call('POST', '/me/v1/authentication-methods', body);
const verify = (id: unknown, body: object) =>
  call('POST', `/me/v1/authentication-methods/${encodeURIComponent(String(id))}/verify`, body);

async function control(method: string, path: string, body: object) {
  const response = await fetch(`${tenant.url}/_control/${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(method === 'GET' ? {} : { body: JSON.stringify(body) }),
  });
  return (await response.json()) as Record<string, unknown>;
}

test('a passkey is enrolled with the token of a sign-in, by the Location the answer gave', async () => {
  const started = await start({ type: 'passkey' });
  const location = started.headers.get('location') ?? '';
  expect(location).toBe(`${tenant.url}/me/v1/authentication-methods/passkey%7Cnew`);
  const options = started.body['authn_params_public_key'] as CreationOptions;
  const authn_response = createAuthenticator().create(options, 'http://localhost:3999');
  const verified = await call('POST', `${new URL(location).pathname}/verify`, {
    auth_session: started.body['auth_session'],
    authn_response,
  });
  expect(verified).toMatchObject({
    status: 201,
    body: { type: 'passkey', key_id: authn_response.id },
  });
});

test('a code sent to a telephone is read through the control', async () => {
  const { body } = await start({ type: 'phone', phone_number: '+15550001111' });
  const { messages } = (await control('GET', 'messages?to=%2B15550001111', {})) as {
    messages: { code: string }[];
  };
  const verified = await verify(body['id'], {
    auth_session: body['auth_session'],
    otp_code: messages.at(-1)?.code,
  });
  expect(verified).toMatchObject({
    status: 201,
    body: { phone_number: '+15550001111', confirmed: true },
  });
});

test('a push notification is approved through the control', async () => {
  const { body } = await start({ type: 'push-notification' });
  const finish = () => verify(body['id'], { auth_session: body['auth_session'] });
  expect((await finish()).status).toBe(400);
  await control('POST', 'push', { email: tenant.demoUser.email });
  expect(await finish()).toMatchObject({
    status: 201,
    body: { type: 'push-notification', confirmed: true },
  });
});

test('a new password is the one that signs in from then on', async () => {
  const [user] = tenant.users.add({ email: 'changer@example.com', password: 'old-Passw0rd' });
  const person = (password: string) => ({ email: 'changer@example.com', password });
  const signedIn = await app.signIn({ scope: scopes }, { person: person('old-Passw0rd') });
  const { body } = await call(
    'POST',
    '/me/v1/authentication-methods',
    { type: 'password' },
    signedIn.access_token,
  );
  const set = { auth_session: body['auth_session'], new_password: 'new-Passw0rd' };
  expect(
    (
      await call(
        'POST',
        '/me/v1/authentication-methods/password%7Cnew/verify',
        set,
        signedIn.access_token,
      )
    ).body,
  ).toMatchObject({
    identity_user_id: user?.user_id,
  });
  expect(
    (await app.signIn({ scope: scopes }, { person: person('new-Passw0rd') })).access_token,
  ).toBeDefined();
  await expect(app.signIn({ scope: scopes }, { person: person('old-Passw0rd') })).rejects.toThrow();
});

test('an account is connected by way of the provider’s page', async () => {
  const { body } = await call('POST', '/me/v1/connected-accounts/connect', {
    connection: 'github',
    redirect_uri,
  });
  const { ticket } = body['connect_params'] as { ticket: string };
  const page = await fetch(`${String(body['connect_uri'])}?ticket=${ticket}`);
  expect(await page.text()).toContain('read:user');
  const form = new URLSearchParams({ ticket, login: 'octocat', answer: 'allow' });
  const back = await fetch(String(body['connect_uri']), {
    method: 'POST',
    body: form,
    redirect: 'manual',
  });
  const connect_code = new URL(back.headers.get('location') ?? '').searchParams.get('connect_code');
  const completed = await call('POST', '/me/v1/connected-accounts/complete', {
    auth_session: body['auth_session'],
    connect_code,
    redirect_uri,
  });
  expect(completed.status).toBe(201);
  expect((await call('GET', '/me/v1/connected-accounts/accounts')).body).toEqual({
    accounts: [completed.body],
  });
});

test('without /v1, and while the API is not activated, there is nothing', async () => {
  const detail = 'The requested resource POST /me/authentication-methods was not found.';
  expect(await call('POST', '/me/authentication-methods', { type: 'totp' })).toMatchObject({
    status: 404,
    body: { detail },
  });
  tenant.configure({ my_account: { activated: false } });
  expect((await call('GET', '/me/v1/factors')).status).toBe(404);
  tenant.configure({ my_account: { activated: true } });
  expect((await call('GET', '/me/v1/factors')).status).toBe(200);
});

test('a token that expired, and one of a user who is blocked or gone, are 401', async () => {
  const [user] = tenant.users.add({ email: 'leaver@example.com', password: 'Passw0rd' });
  const { access_token: theirs } = await app.signIn(
    { scope: scopes },
    { person: { email: 'leaver@example.com', password: 'Passw0rd' } },
  );
  const factors = async () => (await call('GET', '/me/v1/factors', undefined, theirs)).status;
  expect(await factors()).toBe(200);
  tenant.configure({ clockOffsetSeconds: 86_401 });
  expect(await factors()).toBe(401);
  tenant.configure({ clockOffsetSeconds: 0 });
  await control('PATCH', `users/${encodeURIComponent(user?.user_id ?? '')}`, { blocked: true });
  expect(await factors()).toBe(401);
  await control('PATCH', `users/${encodeURIComponent(user?.user_id ?? '')}`, { blocked: false });
  expect(await factors()).toBe(200);
  await control('DELETE', `users/${encodeURIComponent(user?.user_id ?? '')}`, {});
  expect(await factors()).toBe(401);
});
