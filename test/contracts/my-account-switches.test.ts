import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { startBench, tokenOf, type Bench } from './my-account-bench.ts';

const scopes = [
  'read:me:factors',
  ...['read', 'create', 'update', 'delete'].flatMap((verb) => [
    `${verb}:me:authentication_methods`,
    `${verb}:me:connected_accounts`,
  ]),
];

let bench: Bench;
let token = '';
beforeAll(async () => {
  const callbacks = ['https://app.example.com/connected'];
  bench = await startBench({
    limits: { enforced: false },
    clients: [{ client_id: 'app', callbacks }],
  });
});
beforeEach(() => {
  bench.state.reset();
  token = tokenOf(bench.user(), scopes);
});
afterAll(async () => {
  await bench.close();
});

const call = (method: string, path: string, body?: object) =>
  bench.call(method, path, { token, ...(body === undefined ? {} : { body }) });
const flip = (switches: object) => bench.state.configure({ switches });
const enforce = (limits: object) =>
  bench.state.configure({ limits: { enforced: true, ...limits } });

async function started(type: string): Promise<{ path: string; auth_session: string }> {
  const { body } = await call('POST', '/authentication-methods', { type });
  const { id, auth_session } = body as { id: string; auth_session: string };
  return { path: `/authentication-methods/${encodeURIComponent(id)}/verify`, auth_session };
}

test('wwwAuthenticate off: 401 and 403 come without a challenge', async () => {
  flip({ wwwAuthenticate: false });
  for (const given of [undefined, 'nonsense', tokenOf(bench.user(), [])]) {
    const refused = await bench.call(
      'GET',
      '/factors',
      given === undefined ? {} : { token: given },
    );
    expect([401, 403]).toContain(refused.status);
    expect(refused.headers.get('www-authenticate')).toBeNull();
  }
});

test('errorTypeSpelling fragment: the code comes after a hash', async () => {
  flip({ errorTypeSpelling: 'fragment' });
  expect((await bench.call('GET', '/factors', { token: 'nonsense' })).body).toMatchObject({
    type: 'https://auth0.com/api-errors#A0E-401-0003',
  });
});

test('locationForm relative: Location has no origin', async () => {
  flip({ locationForm: 'relative' });
  const { headers } = await call('POST', '/authentication-methods', { type: 'passkey' });
  expect(headers.get('location')).toBe('/me/v1/authentication-methods/passkey%7Cnew');
});

test.each([401, 403] as const)(
  'wrongCodeStatus %i: status, code and title of a wrong code move together',
  async (status) => {
    flip({ wrongCodeStatus: status });
    const { path, auth_session } = await started('totp');
    const refused = await call('POST', path, { auth_session, otp_code: 'wrong' });
    expect(refused).toMatchObject({
      status,
      body: { status, type: `https://auth0.com/api-errors/A0E-${status}-0001` },
    });
  },
);

test('pushPendingStatus 403: a push not yet approved', async () => {
  flip({ pushPendingStatus: 403 });
  const { path, auth_session } = await started('push-notification');
  expect((await call('POST', path, { auth_session })).status).toBe(403);
});

test('authSessionSeconds: an enrolment lives that long on the tenant’s clock', async () => {
  flip({ authSessionSeconds: 60 });
  const { path, auth_session } = await started('recovery-code');
  bench.state.configure({ clockOffsetSeconds: 61 });
  expect((await call('POST', path, { auth_session })).status).toBe(400);
});

test('unknownMethodStatus and unknownAccountStatus 204: deleting what is not there is done', async () => {
  flip({ unknownMethodStatus: 204, unknownAccountStatus: 204 });
  expect((await call('DELETE', '/authentication-methods/totp%7Cdev_0000000000000000')).status).toBe(
    204,
  );
  expect((await call('DELETE', '/connected-accounts/accounts/cac_0')).status).toBe(204);
});

test('connectRedirect: only a callback of the application, or any', async () => {
  const connect = (redirect_uri: string) =>
    call('POST', '/connected-accounts/connect', { connection: 'github', redirect_uri });
  expect((await connect('https://app.example.com/connected')).status).toBe(201);
  expect((await connect('https://else.example/connected')).status).toBe(400);
  flip({ connectRedirect: 'any' });
  expect((await connect('https://else.example/connected')).status).toBe(201);
});

test('connectedAgain replace and connectCompleteStatus 200', async () => {
  flip({ connectedAgain: 'replace', connectCompleteStatus: 200 });
  const redirect_uri = 'https://app.example.com/connected';
  for (const _ of [1, 2]) {
    const { body } = await call('POST', '/connected-accounts/connect', {
      connection: 'github',
      redirect_uri,
    });
    const { connect_uri, auth_session, connect_params } = body as Record<
      'connect_uri' | 'auth_session',
      string
    > & {
      connect_params: { ticket: string };
    };
    const form = new URLSearchParams({
      ticket: connect_params.ticket,
      login: 'octocat',
      answer: 'allow',
    });
    const back = await fetch(connect_uri, { method: 'POST', body: form, redirect: 'manual' });
    const connect_code = new URL(back.headers.get('location') ?? '').searchParams.get(
      'connect_code',
    );
    expect(
      (
        await call('POST', '/connected-accounts/complete', {
          auth_session,
          connect_code,
          redirect_uri,
        })
      ).status,
    ).toBe(200);
  }
  expect((await call('GET', '/connected-accounts/accounts')).body).toMatchObject({
    accounts: [{ connection: 'github' }],
  });
});

test('rateLimitCode: the other code in a 429', async () => {
  enforce({ user: { factors_read: 1 } });
  flip({ rateLimitCode: 'A0E-429-0001' });
  await call('GET', '/factors');
  expect((await call('GET', '/factors')).body).toMatchObject({
    type: 'https://auth0.com/api-errors/A0E-429-0001',
  });
});

test('profileLimits: the profile takes from the limits of the methods, or from none', async () => {
  token = tokenOf(bench.user(), [...scopes, 'read:me:profile']);
  enforce({ user: { authentication_methods_read: 1 } });
  const twice = async () => [
    (await call('GET', '/profile')).status,
    (await call('GET', '/profile')).status,
  ];
  expect(await twice()).toEqual([200, 429]);
  expect((await call('GET', '/authentication-methods')).status).toBe(429);
  flip({ profileLimits: 'none' });
  expect(await twice()).toEqual([200, 200]);
});

test('patchCost: a change counts as a write, or as nothing', async () => {
  enforce({ user: { authentication_methods_write: 1 } });
  const twice = async () => [
    (await call('PATCH', '/authentication-methods/totp%7Cdev_0', {})).status,
    (await call('PATCH', '/authentication-methods/totp%7Cdev_0', {})).status,
  ];
  expect(await twice()).toEqual([404, 429]);
  flip({ patchCost: 'none' });
  token = tokenOf(bench.user(), scopes);
  expect(await twice()).toEqual([404, 404]);
});
