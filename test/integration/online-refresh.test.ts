import { afterEach, expect, test } from '@jest/globals';
import { startWorld, type World } from '../helpers/world.ts';

// Online refresh tokens (beta): bound to the session at Auth0, not rotated.
let world: World;
afterEach(async () => world.close());

const methods = '/api/me/v1/authentication-methods';
const begin = async () => {
  world = await startWorld({
    settings: {
      AUTH0_REFRESH_MODE: 'online',
      READ_KEEP_SECONDS: '0',
      RATE_LIMIT_USER_READ: '10000',
      RATE_LIMIT_TENANT_READ: '10000',
      AUTH0_PUSHED_AUTHORIZATION_REQUESTS: 'off',
    },
    tenant: { limits: { enforced: false } },
    // Nobody is told of a logout: the next use has to find out.
    client: { backchannel_logout_uri: 'http://127.0.0.1:9/nobody' },
  });
  const person = world.person();
  await person.signIn();
  return person;
};
const refreshes = () =>
  world.tenant
    .requests()
    .filter(({ parameters }) => parameters?.['grant_type'] === 'refresh_token')
    .map(({ status }) => status);
/** The API takes the token no longer, so the next call needs another one. */
const refuseToken = () =>
  world.tenant.faults.add({ path: '/me/', times: 1, status: 401, body: {} });

test('online_access is asked for in the place of offline_access, and one token serves again and again', async () => {
  const person = await begin();
  const [asked] = world.tenant.requests().filter(({ path }) => path === '/authorize');
  const scopes = String(asked?.query['scope']).split(' ');
  expect([scopes.includes('online_access'), scopes.includes('offline_access')]).toEqual([
    true,
    false,
  ]);
  for (const times of [1, 2, 3]) {
    refuseToken();
    expect((await person.call('GET', methods)).status).toBe(200);
    expect(refreshes()).toEqual(Array.from({ length: times }, () => 200));
  }
});

test('a logout at Auth0 ends the session at its next use', async () => {
  const person = await begin();
  const logout = await fetch(`${world.tenant.url}/_control/logout`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: world.user.email }),
  });
  expect(logout.ok).toBe(true);
  // The access token is good still: what ends is what it could be renewed with.
  expect((await person.call('GET', methods)).status).toBe(200);
  refuseToken();
  const ended = await person.call('GET', methods);
  expect([ended.status, ended.json()]).toMatchObject([401, { code: 'login_required' }]);
  expect(refreshes()).toEqual([403]);
  expect((await person.call('GET', '/auth/profile')).status).toBe(401);
});

test('a step-up goes on in the same session at Auth0, and its token works', async () => {
  const person = await begin();
  const create = ['POST', methods, { type: 'recovery-code' }] as const;
  const { stepUpUrl } = (await person.call(...create)).json() as { stepUpUrl: string };
  await person.answerForms(await person.visit(stepUpUrl));
  refuseToken();
  expect((await person.call('GET', methods)).status).toBe(200);
  expect((await person.call(...create)).status).toBeLessThan(300);
});

test('signing out ends the session at Auth0 as well', async () => {
  const person = await begin();
  await person.visit('/auth/logout', { method: 'POST' });
  const page = await person.visit('/auth/login');
  expect(page.text).toContain('name="password"');
});
