import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Person, Seen } from '../helpers/person.ts';
import { startWorld, type World } from '../helpers/world.ts';

let world: World;
let person: Person;
beforeAll(async () => {
  world = await startWorld({
    tenant: { limits: { enforced: false } },
    settings: {
      RATE_LIMIT_USER_CONNECTED_ACCOUNTS_CREATE_FLOW: '1000',
      RATE_LIMIT_USER_CONNECTED_ACCOUNTS_READ_ACCOUNTS: '1000',
    },
  });
  person = world.person();
  await person.signIn();
});
afterAll(async () => world.close());

const own = { 'sec-fetch-site': 'same-origin' };
const path = '/auth/connect?connection=google-oauth2&returnTo=%2Faccounts%3Ftab%3D1';
let logins = 0;
const answer = async (page: Seen, choice: 'allow' | 'deny', stopAt?: string): Promise<Seen> => {
  const ticket = /name="ticket" value="([^"]*)"/.exec(page.text)?.[1] ?? '';
  return person.visit(page.url, {
    method: 'POST',
    form: { ticket, login: `me${(logins += 1)}@provider.example`, answer: choice },
    ...(stopAt !== undefined && { stopAt }),
  });
};
const accounts = async (): Promise<unknown[]> =>
  (
    (await person.call('GET', '/api/me/v1/connected-accounts/accounts')).json() as {
      accounts: unknown[];
    }
  ).accounts;

test('another site cannot begin it, and signed out it is a sign-in first', async () => {
  expect(
    (await person.call('GET', path, undefined, { 'sec-fetch-site': 'cross-site' })).json(),
  ).toMatchObject({
    code: 'cross_site_request',
  });
  expect((await world.person().call('GET', path)).json()).toMatchObject({ code: 'login_required' });
  const forged = await person.call('GET', `${path}&resume=AAAA`, undefined, {
    'sec-fetch-site': 'cross-site',
  });
  expect(forged.json()).toMatchObject({ code: 'cross_site_request' });
});

test('the first time it steps up on the way, goes to the provider, and comes back with the account connected', async () => {
  const provider = await person
    .answerForms(await person.visit(path, { headers: own }))
    .catch(async () => person.visit(path, { headers: own }));
  const page = provider.text.includes('name="ticket"')
    ? provider
    : await person.visit(path, { headers: own });
  expect(page.url).toContain('/connected-accounts/connect?ticket=');
  const back = await answer(page, 'allow');
  expect(back.url).toBe(`${world.origin}/accounts?tab=1`);
  expect(await accounts()).toMatchObject([{ connection: 'google-oauth2' }]);
});

test('what is kept here never reaches the browser: neither the auth_session nor the verifier', async () => {
  const sent = await person.call('GET', path);
  expect(sent.status).toBe(302);
  const { searchParams } = new URL(sent.headers.get('location') ?? '');
  expect([...searchParams.keys()]).toEqual(['ticket']);
  const asked = world.tenant
    .requests()
    .findLast((each) => each.path.endsWith('/connected-accounts/connect'));
  expect(asked?.method).toBe('POST');
});

test('a denial ends in a readable page that leads back', async () => {
  const denied = await answer(await person.visit(path, { headers: own }), 'deny');
  expect(denied.status).toBe(400);
  expect(denied.text).toContain('/accounts?tab=1');
});

test('a callback is good once, in the browser that began it; another one is told the way back', async () => {
  const callback = await (async () => {
    const page = await person.visit(path, { headers: own });
    return (await answer(page, 'allow', `${world.origin}/auth/connect/callback`)).url;
  })();
  const other = world.person();
  await other.signIn();
  const stolen = await other.visit(callback);
  expect([stolen.status, stolen.text.includes('/accounts?tab=1')]).toEqual([400, true]);
  expect((await person.visit(callback)).url).toBe(`${world.origin}/accounts?tab=1`);
  expect((await person.visit(callback)).status).toBe(400);
  expect((await person.visit('/auth/connect/callback?connect_code=x&state=made-up')).status).toBe(
    400,
  );
});

test('a connection Auth0 does not know is a failure that leads back', async () => {
  const failed = await person.call('GET', '/auth/connect?connection=nowhere&returnTo=/accounts');
  expect(failed.json()).toMatchObject({ code: 'connect_failed', returnTo: '/accounts' });
});

test('two callbacks at once with the same cookie complete it once', async () => {
  const page = await person.visit(path, { headers: own });
  const callback = (await answer(page, 'allow', `${world.origin}/auth/connect/callback`)).url;
  const completed = (): number =>
    world.tenant.requests().filter((each) => each.path.endsWith('/connected-accounts/complete'))
      .length;
  const before = completed();
  const cookie = await person.jar.getCookieString(world.origin);
  const both = await Promise.all(
    [1, 2].map(async () =>
      fetch(callback, { redirect: 'manual', headers: { cookie, accept: 'text/html' } }),
    ),
  );
  expect(both.map(({ status }) => status).sort()).toEqual([303, 400]);
  expect(completed() - before).toBe(1);
});

test('what was read before it is not shown after it: the list has the account at once', async () => {
  const list = '/api/me/v1/connected-accounts/accounts';
  const before = await accounts();
  const back = await answer(await person.visit(path, { headers: own }), 'allow');
  expect(back.url).toBe(`${world.origin}/accounts?tab=1`);
  expect(await accounts()).toHaveLength(before.length + 1);
  expect((await person.call('GET', list)).headers.get('cache-status')).toContain('hit');
});

const challenges: [string, number, Record<string, string>, unknown][] = [
  ['more scope by header', 403, { 'www-authenticate': 'Bearer error="insufficient_scope"' }, {}],
  [
    'more scope by body',
    403,
    {},
    { type: 'https://auth0.com/api-errors/A0E-403-0002', status: 403 },
  ],
  [
    'a fresher sign-in (RFC 9470)',
    401,
    { 'www-authenticate': 'Bearer error="insufficient_user_authentication", max_age="60"' },
    {},
  ],
];
describe('a session that has the scope already', () => {
  let apart: World;
  beforeAll(async () => {
    apart = await startWorld({
      tenant: { limits: { enforced: false } },
      settings: {
        AUTH0_SCOPE: 'openid offline_access read:me:factors create:me:connected_accounts',
        RATE_LIMIT_USER_CONNECTED_ACCOUNTS_CREATE_FLOW: '1000',
      },
    });
  });
  afterAll(async () => apart.close());

  test.each(challenges)(
    'asked for %s, it is led to a step-up that comes back to it, and keeps its token',
    async (_what, status, headers, body) => {
      const other = apart.person();
      await other.signIn('/auth/session');
      const refreshes = (): number =>
        apart.tenant
          .requests()
          .filter(({ parameters }) => parameters?.['grant_type'] === 'refresh_token').length;
      const begun = refreshes();
      apart.tenant.faults.add({ path: '/me/v1/connected-accounts/connect', status, headers, body });
      const failed = await other.call('GET', path);
      expect([failed.status, failed.json()]).toMatchObject([403, { code: 'step_up_required' }]);
      const { stepUpUrl } = failed.json() as { stepUpUrl: string };
      expect(new URL(stepUpUrl, apart.origin).searchParams.get('returnTo')).toContain(
        '/auth/connect?connection=google-oauth2',
      );
      expect((await other.call('GET', '/api/me/v1/factors')).status).toBe(200);
      expect(refreshes()).toBe(begun);
    },
  );

  test('told to come again at a date thirty seconds ahead, it says thirty seconds', async () => {
    const other = apart.person();
    await other.signIn('/auth/session');
    const date = new Date(Date.now() + 30_000).toUTCString();
    apart.tenant.faults.add({
      path: '/me/v1/connected-accounts/connect',
      status: 429,
      headers: { 'retry-after': date },
    });
    const failed = await other.call('GET', path);
    expect([failed.status, failed.json()]).toMatchObject([429, { code: 'rate_limited' }]);
    expect(Number(failed.headers.get('retry-after'))).toBeGreaterThanOrEqual(25);
  });
});
