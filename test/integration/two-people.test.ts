import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Credentials, Person, Seen } from '../helpers/person.ts';
import { startWorld, type World } from '../helpers/world.ts';

let world: World;
let two: Credentials;
/** The handle of user one, whose page stands in a tab while user two signs in in the next one. */
let one: string;
beforeAll(async () => {
  const kinds = ['authentication_methods', 'connected_accounts'];
  const verbs = ['read', 'create', 'update', 'delete'];
  const scopes = kinds.flatMap((kind) => verbs.map((verb) => `${verb}:me:${kind}`));
  world = await startWorld({
    settings: {
      AUTH0_SCOPE: ['openid profile email offline_access read:me:factors', ...scopes].join(' '),
      AUTH0_PASSWORD_REALM: 'Username-Password-Authentication',
      AUTH0_PASSKEYS: 'true',
      RATE_LIMIT_USER_WRITE: '1000',
      RATE_LIMIT_USER_READ: '1000',
      RATE_LIMIT_USER_FACTORS_READ: '1000',
    },
    tenant: { limits: { enforced: false }, passkeys_on_canonical_domain: true },
  });
  const password = 'the-password-of-two-1';
  world.tenant.users.add({ email: 'two@example.com', password });
  two = { email: 'two@example.com', password };
  const person = world.person();
  await person.signIn();
  one = await handleOf(person);
});
afterAll(async () => world.close());

const handleOf = async (person: Person): Promise<string> =>
  ((await person.call('GET', '/auth/session')).json() as { userHandle: string }).userHandle;

const me = '/api/me/v1';
type Row = readonly [method: string, path: string, body?: object | undefined, route?: string];

/** Every call that changes something, ends something, or shows what is the user's own. */
const calls: readonly Row[] = [
  ['POST', `${me}/authentication-methods`, { type: 'recovery-code' }],
  ['PATCH', `${me}/authentication-methods/totp%7Cx`, { name: 'x' }],
  ['DELETE', `${me}/authentication-methods/totp%7Cx`],
  [
    'POST',
    `${me}/authentication-methods/totp%7Cx/verify`,
    { auth_session: 'x', otp_code: '123456' },
  ],
  [
    'POST',
    `${me}/connected-accounts/connect`,
    { connection: 'x', redirect_uri: 'http://localhost/x' },
  ],
  [
    'POST',
    `${me}/connected-accounts/complete`,
    { auth_session: 'x', connect_code: 'x', redirect_uri: 'http://localhost/x' },
  ],
  ['DELETE', `${me}/connected-accounts/accounts/x`],
  ['GET', `${me}/authentication-methods`],
  ['GET', `${me}/factors`],
  ['GET', '/auth/profile'],
  ['GET', '/auth/sessions'],
  ['POST', '/auth/session'],
  ['DELETE', '/auth/sessions'],
  ['DELETE', '/auth/sessions/x', undefined, 'DELETE /auth/sessions/:id'],
  ['POST', '/auth/logout'],
  ['POST', '/auth/password', { username: 'nobody@example.com', password: 'x' }],
  ['POST', '/auth/passkey/challenge'],
  ['POST', '/auth/passkey/register', { user_profile: { email: 'key@example.com' } }],
  ['POST', '/auth/passkey/verify'],
  ['POST', '/auth/mfa/challenge'],
  ['POST', '/auth/mfa/associate', { authenticator_types: ['otp'] }],
  ['POST', '/auth/mfa/verify', { otp: '123456' }],
];
/** Navigations, which can carry no header. */
const navigations: readonly Row[] = [
  ['GET', '/auth/step-up?scope=create:me:authentication_methods'],
  ['GET', '/auth/connect?connection=google-oauth2'],
  ['GET', '/auth/logout'],
];

/** A browser in which user one signed in first, and then user two. */
const signedInAsTwo = async (): Promise<Person> => {
  const person = world.person();
  await person.signIn();
  await person.answerForms(await person.visit('/auth/login?prompt=login'), two);
  expect((await person.call('GET', '/auth/profile')).json()).toMatchObject({ email: two.email });
  return person;
};
const lastRequest = (): number => world.tenant.requests().at(-1)?.id ?? 0;

const refused = ({ status, json }: Seen): void => {
  expect(status).toBe(409);
  expect(json()).toMatchObject({ code: 'user_changed' });
};
/** Whatever else a call may answer, nothing was done by it. */
const nothingDone = async (person: Person, ask: () => Promise<void>): Promise<void> => {
  const since = lastRequest();
  await ask();
  expect(world.tenant.requests(since)).toEqual([]);
  expect((await person.call('GET', '/auth/profile')).json()).toMatchObject({ email: two.email });
};

const garbage = ['', 'x', 'x'.repeat(32), 'x'.repeat(4_000), '\u00e9\u00ff'];

describe.each(calls)('%s %s', (method, path, body) => {
  test('with the handle of another user, or with garbage, is refused before anything is done', async () => {
    const person = await signedInAsTwo();
    const elsewhere = world.person(two);
    await elsewhere.signIn();
    await nothingDone(person, async () => {
      for (const handle of [one, ...garbage])
        refused(await person.call(method, path, body, { 'x-account-user': handle }));
    });
    expect((await elsewhere.call('GET', '/auth/profile')).status).toBe(200);
  });

  test('with the user’s own handle answers as it does without one', async () => {
    const named = await signedInAsTwo();
    const handle = await handleOf(named);
    expect(handle).not.toBe(one);
    const own = await named.call(method, path, body, { 'x-account-user': handle });
    const absent = await (await signedInAsTwo()).call(method, path, body);
    expect(own.status).toBe(absent.status);
    expect(own.text).not.toContain('user_changed');
  });
});

describe.each(navigations)('%s %s', (_method, path) => {
  const named = (handle: string): string =>
    `${path}${path.includes('?') ? '&' : '?'}${new URLSearchParams({ user: handle }).toString()}`;
  const headers = { 'sec-fetch-site': 'same-origin' };

  test('with another user’s handle, or with garbage, is a page that says so, and nothing is done', async () => {
    const person = await signedInAsTwo();
    await nothingDone(person, async () => {
      for (const handle of [one, ...garbage]) {
        const page = await person.visit(named(handle), { headers });
        expect([page.status, page.text.includes('Somebody else is signed in')]).toEqual([
          409,
          true,
        ]);
        refused(await person.call('GET', named(handle), undefined, headers));
        refused(
          await person.call('GET', path, undefined, { ...headers, 'x-account-user': handle }),
        );
      }
      // One that is right does not make up for one that is wrong.
      const own = await handleOf(person);
      refused(await person.call('GET', `${named(own)}&user=${one}`, undefined, headers));
      refused(
        await person.call('GET', named(one), undefined, { ...headers, 'x-account-user': own }),
      );
    });
  });

  test('with the user’s own handle, or without one, goes where it did', async () => {
    for (const handle of [true, false]) {
      const person = await signedInAsTwo();
      const url = handle ? named(await handleOf(person)) : path;
      const answer = await person.call('GET', url, undefined, headers);
      expect([302, 303]).toContain(answer.status);
      expect(answer.headers.get('location')).toContain(world.tenant.url);
      expect(answer.headers.get('location')).not.toContain('user=');
    }
  });
});

test('signed out, a handle is not looked at: the answer is a sign-in', async () => {
  const headers = { 'x-account-user': one };
  const person = world.person();
  expect(
    (await person.call('POST', `${me}/authentication-methods`, {}, headers)).json(),
  ).toMatchObject({
    code: 'login_required',
  });
  expect((await person.call('DELETE', '/auth/sessions', undefined, headers)).json()).toMatchObject({
    code: 'login_required',
  });
});

test('who is signed in may be asked with any handle: it is how a page starts over', async () => {
  const person = await signedInAsTwo();
  const answer = await person.call('GET', '/auth/session', undefined, { 'x-account-user': one });
  expect(answer.json()).toMatchObject({ authenticated: true, user: { email: two.email } });
});

test('a handle outlives a sign-out and a step-up, is the same in every browser, and says nothing of the user', async () => {
  const [here, elsewhere] = [world.person(), world.person()];
  await here.signIn();
  await elsewhere.signIn();
  expect(await handleOf(here)).toBe(one);
  expect(await handleOf(elsewhere)).toBe(one);
  const headers = { 'sec-fetch-site': 'same-origin' };
  const path = `/auth/step-up?scope=create:me:authentication_methods&user=${one}`;
  await here.answerForms(await here.visit(path, { headers }));
  expect((await here.call('GET', '/auth/session')).json()).toMatchObject({
    userHandle: one,
    stepUpFreshFor: expect.any(Number),
  });
  expect(one).toMatch(/^[\w-]{32}$/);
});

interface Layer {
  readonly route?:
    | { readonly path: string | string[]; readonly stack: readonly { readonly method?: string }[] }
    | undefined;
  readonly handle: object;
}
/** Method and path of every route of a router, those of routers in it under `/auth`. */
const routesOf = (stack: readonly Layer[], under = ''): string[] =>
  stack.flatMap(({ route, handle }) => {
    if (route === undefined)
      return 'stack' in handle ? routesOf(handle.stack as readonly Layer[], '/auth') : [];
    // What refuses every method there is does nothing.
    if (route.stack.some(({ method }) => method === 'acl')) return [];
    return [route.path]
      .flat()
      .flatMap((path) =>
        route.stack.flatMap(({ method }) =>
          method === undefined ? [] : [`${method.toUpperCase()} ${under}${path}`],
        ),
      );
  });

test('no route that acts on a session is missing above', () => {
  const router: { readonly stack: readonly Layer[] } | undefined =
    world.gateways[0]?.gateway.app.router;
  const all = routesOf(router?.stack ?? []);
  expect(all).toContain('GET /auth/step-up');
  const tested = new Set(
    [...calls, ...navigations].map(
      ([method, path, , route]) => route ?? `${method} ${path.split('?')[0] ?? ''}`,
    ),
  );
  // A sign-in begins a session, these only tell of one, and Auth0's own call carries no cookie.
  const others = [
    'GET /auth/login',
    'GET /auth/callback',
    'GET /auth/connect/callback',
    'GET /auth/session',
    'GET /auth/events',
    'GET /auth/popup.js',
    'GET /auth/mfa/authenticators',
    'POST /auth/backchannel-logout',
  ];
  expect(
    all.filter(
      (route) =>
        / \/auth\/(?!healthz|readyz)/.test(route) && !tested.has(route) && !others.includes(route),
    ),
  ).toEqual([]);
});

test('a read whose session, answer and budget are asked for in one trip is refused all the same', async () => {
  const shared = await startWorld({ redis: true });
  try {
    const person = shared.person();
    await person.signIn();
    const read = async (headers: Record<string, string> = {}): Promise<Seen> =>
      person.call('GET', `${me}/authentication-methods`, undefined, headers);
    const handle = await handleOf(person);
    for (let i = 0; i < 3; i += 1)
      expect((await read({ 'x-account-user': handle })).status).toBe(200);
    refused(await read({ 'x-account-user': one }));
    expect((await read({ 'x-account-user': handle })).status).toBe(200);
  } finally {
    await shared.close();
  }
});
