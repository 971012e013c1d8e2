import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { newTicket } from '../../src/gateway/session/ticket.ts';
import type { Person } from '../helpers/person.ts';
import { startWorld, type World } from '../helpers/world.ts';

const name = 'my_account_session';
const methods = '/api/me/v1/authentication-methods';
const attackersPassword = 'password-of-the-attacker';

let world: World;
let victim: Person;
let attacker: Person;
let attackersSub: string;
beforeAll(async () => {
  world = await startWorld({ settings: { READ_KEEP_SECONDS: '0', RATE_LIMIT_USER_READ: '1000' } });
});
afterAll(async () => world.close());

const cookieOf = async (person: Person): Promise<string> => {
  const found = (await person.jar.getCookies(world.origin)).find(({ key }) => key === name);
  if (found === undefined) throw new Error('not signed in');
  return found.value;
};
const plant = async (cookie: string): Promise<unknown> =>
  victim.jar.setCookie(cookie, `${world.origin}/api/me/v1/x`);
const profileOf = async (person: Person): Promise<unknown> =>
  (await person.call('GET', '/auth/profile')).json();
/** Asks with exactly these cookies, as a browser would that keeps them whatever it is told. */
const askWith = async (
  cookie: string,
  path: string,
  method = 'GET',
  headers: Record<string, string> = {},
): Promise<Response> =>
  fetch(`${world.origin}${path}`, {
    method,
    redirect: 'manual',
    headers: { cookie, 'sec-fetch-site': 'same-origin', ...headers },
  });
const both = async (): Promise<string> =>
  `${name}=${await cookieOf(attacker)}; ${name}=${await cookieOf(victim)}`;

beforeEach(async () => {
  const [made] = world.tenant.users.add({ count: 1, password: attackersPassword });
  attackersSub = made?.user_id ?? '';
  attacker = world.person({ email: made?.email ?? '', password: attackersPassword });
  victim = world.person();
  await attacker.signIn();
  await victim.signIn();
});

describe('a name behind a space, inside of a cookie that a neighbour may set,', () => {
  test.each(['x=y ', 'x=y\t', 'x=y,'])('is no cookie: %j', async (before) => {
    const planted = `${before}${name}=${await cookieOf(attacker)}`;
    const answer = await askWith(`${planted}; ${name}=${await cookieOf(victim)}`, '/auth/profile');
    expect(await answer.json()).toEqual(await profileOf(victim));
    expect((await askWith(planted, '/auth/profile')).status).toBe(401);
  });
});

describe('two cookies of the name that both open', () => {
  test('are not believed, and are both gone after one answer; then the person signs in as themselves', async () => {
    await plant(`${name}=${await cookieOf(attacker)}; Path=/api/me`);
    const since = world.tenant.requests().at(-1)?.id ?? 0;
    const refused = await victim.call('GET', methods);
    expect(refused.status).toBe(400);
    expect(refused.json()).toMatchObject({
      code: 'session_ambiguous',
      cookie: name,
      loginUrl: '/auth/login',
    });
    expect(refused.headers.get('clear-site-data')).toBeNull();
    expect(world.tenant.requests(since).filter(({ path }) => path.startsWith('/me/'))).toEqual([]);
    expect((await victim.call('GET', methods)).json()).toMatchObject({ code: 'login_required' });
    await victim.signIn();
    expect((await victim.call('GET', methods)).status).toBe(200);
    expect(await profileOf(victim)).not.toMatchObject({ sub: attackersSub });
  });

  test.each([
    ['GET', '/auth/profile'],
    ['GET', '/auth/session'],
    ['POST', '/auth/session'],
    ['GET', '/auth/sessions'],
    ['DELETE', '/auth/sessions'],
    ['GET', '/auth/events'],
    ['GET', '/auth/step-up?scope=create:me:authentication_methods'],
    ['GET', '/auth/connect?connection=google-oauth2'],
    ['GET', '/auth/connect/callback?state=x'],
    ['GET', methods],
    ['DELETE', `${methods}/x`],
  ])(
    'are refused at %s %s, whatever their order, the answer clears both, and neither opens anything afterwards',
    async (method, path) => {
      for (const order of [0, 1]) {
        await Promise.all([attacker.signIn(), victim.signIn()]);
        const cookies = (await both()).split('; ');
        const answer = await askWith(
          (order === 0 ? cookies : cookies.reverse()).join('; '),
          path,
          method,
        );
        expect(answer.status).toBe(400);
        expect(await answer.json()).toMatchObject({ code: 'session_ambiguous' });
        const parents = ['/', '/auth', '/api'].filter((parent) => path.startsWith(parent));
        const ended = answer.headers.getSetCookie();
        for (const parent of parents)
          expect(ended.join('\n')).toContain(`${name}=; Path=${parent}; Expires=Thu, 01 Jan 1970`);
        for (const cookie of cookies)
          expect((await askWith(cookie, '/auth/profile')).status).toBe(401);
      }
    },
  );

  test('that no answer can end are told on a page: what to delete, and the way to a sign-in', async () => {
    const answer = await world
      .person()
      .visit('/auth/step-up?returnTo=/deep', { headers: { cookie: await both() } });
    const page = answer.text;
    expect(answer.status).toBe(400);
    expect(answer.headers.get('content-type')).toContain('text/html');
    expect(page).toContain(`delete the cookies named &quot;${name}&quot;`);
    expect(page).toContain('href="/auth/login?returnTo=');
    expect(answer.headers.getSetCookie().length).toBeGreaterThan(2);
  });

  test('end at a sign-in: the new session is its person’s, however many old cookies stay in the browser', async () => {
    const old = await both();
    await plant(`${name}=${await cookieOf(attacker)}; Path=/auth`);
    await victim.signIn();
    expect((await profileOf(victim)) as { sub: string }).not.toMatchObject({ sub: attackersSub });
    expect((await attacker.call('GET', '/auth/profile')).status).toBe(401);
    const stubborn = await askWith(`${old}; ${name}=${await cookieOf(victim)}`, '/auth/profile');
    expect(await stubborn.json()).toEqual(await profileOf(victim));
  });

  test('both end when the person signs out', async () => {
    const cookies = await both();
    const out = await askWith(cookies, '/auth/logout', 'POST');
    expect(out.status).toBe(200);
    expect(out.headers.getSetCookie().length).toBeGreaterThan(2);
    for (const person of [victim, attacker])
      expect((await person.call('GET', '/auth/profile')).status).toBe(401);
  });
});

test('a cookie whose session has ended hides no living one, whatever its place', async () => {
  await plant(`${name}=${await cookieOf(attacker)}; Path=/auth`);
  await attacker.call('POST', '/auth/logout');
  expect((await victim.call('GET', '/auth/profile')).status).toBe(200);
});

test('a crowd of cookies before the own one is told, and not taken for a sign-out', async () => {
  const forged = Array.from(
    { length: 5 },
    () => `${name}=s%3A${newTicket()}.${'a'.repeat(43)}`,
  ).join('; ');
  const answer = await askWith(`${forged}; ${name}=${await cookieOf(victim)}`, '/auth/profile');
  expect(await answer.json()).toMatchObject({ code: 'session_ambiguous' });
});

test('a planted cookie of a sign-in under way does not hide the one it was begun with', async () => {
  const person = world.person();
  const shown = await person.visit('/auth/login');
  const [begun] = await person.jar.getCookies(world.origin);
  expect(begun?.key).toMatch(/^my_account_login_/);
  const planted = `${Date.now().toString(36)}.${'A'.repeat(32)}`;
  await person.jar.setCookie(
    `${begun?.key ?? ''}=${planted}; Path=/auth`,
    `${world.origin}/auth/callback`,
  );
  await person.answerForms(shown, world.user);
  expect((await person.call('GET', '/auth/profile')).status).toBe(200);
});
