import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, type Person, type Seen } from '../helpers/person.ts';
import { startRedis, type RedisServer } from '../helpers/redis.ts';
import { startRelay, type Relay } from '../helpers/relay.ts';
import { startWorld, type World } from '../helpers/world.ts';

let world: World;
let server: RedisServer;
let relay: Relay;
beforeAll(async () => {
  server = await startRedis();
  relay = await startRelay(server.port);
  world = await startWorld({
    settings: {
      REDIS_URL: `redis://127.0.0.1:${relay.port}`,
      RATE_LIMIT_USER_WRITE: '1000',
      RATE_LIMIT_USER_READ: '1000',
      RATE_LIMIT_USER_FACTORS_READ: '1000',
    },
    tenant: { limits: { enforced: false } },
  });
});
afterAll(async () => {
  await world.close();
  await relay.close();
  await server.stop();
});

const own = { 'sec-fetch-site': 'same-origin' };
const create = ['POST', '/api/me/v1/authentication-methods', { type: 'recovery-code' }] as const;

/** The one link of a page that says what failed. */
const linkOf = (page: Seen): string =>
  (/<a href="([^"]*)"/.exec(page.text)?.[1] ?? '').replaceAll('&amp;', '&');

/** Follows it as a click does, again until Redis is back. */
const follow = async (person: Person, page: Seen): Promise<Seen> => {
  const link = linkOf(page);
  expect(link).not.toBe('');
  let next = await person.visit(link, { headers: own });
  for (const end = Date.now() + 60_000; next.status === 503 && Date.now() < end;) {
    await sleep(50);
    next = await person.visit(link, { headers: own });
  }
  return person.answerForms(next);
};

/** Answers the tenant's forms up to the door of the callback. */
const toTheDoor = async (person: Person, shown: Seen): Promise<string> => {
  const action = /action="([^"]*)"/.exec(shown.text)?.[1]?.replaceAll('&amp;', '&') ?? '';
  const state = /name="state"[^>]*value="([^"]*)"/.exec(shown.text)?.[1] ?? '';
  const { url } = await person.visit(new URL(action, shown.url).href, {
    method: 'POST',
    form: { state, username: world.user.email, password: world.user.password },
    stopAt: `${world.origin}/auth/callback`,
  });
  return url;
};

/** Steps up where that is asked for, up to the provider's page. */
const toTheProvider = async (person: Person, shown: Seen): Promise<Seen> => {
  if (shown.text.includes('name="ticket"')) return shown;
  const state = /name="state"[^>]*value="([^"]*)"/.exec(shown.text)?.[1] ?? '';
  const action = /action="([^"]*)"/.exec(shown.text)?.[1]?.replaceAll('&amp;', '&') ?? '';
  const form = { state, code: codeOf(world.user.totpSecret ?? '') };
  return person.visit(new URL(action, shown.url).href, { method: 'POST', form });
};

const cutOff = async (person: Person, callback: string, verb: string): Promise<Seen> => {
  relay.loseAnswerTo(verb);
  const page = await person.visit(callback);
  expect(relay.lost()).toBe(true);
  // A connection that was taken up again soon enough has seen that the sign-in was spent.
  expect([400, 503]).toContain(page.status);
  return page;
};

// What each is called in the commands of the store: the last question before the code is exchanged, and two after it.
const moments = { before: '\r\nNX\r\n', after: '\r\nnow\r\n', listing: '\r\nuser\r\n' };
const rounds = (Object.keys(moments) as (keyof typeof moments)[]).flatMap((moment) =>
  Array.from({ length: moment === 'before' ? 2 : 8 }, (_, round) => [moment, round + 1] as const),
);

test.each(rounds)(
  'a sign-in cut off (%s the exchange) begins anew by the page’s link, round %i',
  async (moment) => {
    const person = world.person();
    const callback = await toTheDoor(
      person,
      await person.visit('/auth/login?returnTo=/deep%3Fx%3D1'),
    );
    const page = await cutOff(person, callback, moments[moment]);
    expect((await follow(person, page)).url).toBe(`${world.origin}/deep?x=1`);
    expect((await person.call('GET', '/auth/session')).json()).toMatchObject({
      authenticated: true,
    });
  },
);

test.each(Array.from({ length: 4 }, (_, round) => round + 1))(
  'a step-up cut off after the exchange begins anew as a step-up by the page’s link, round %i',
  async () => {
    const person = world.person();
    await person.signIn();
    const { stepUpUrl } = (await person.call(...create)).json() as { stepUpUrl: string };
    const shown = await person.visit(`${stepUpUrl}&returnTo=%2Fdeep%3Fx%3D1`, { headers: own });
    const door = { stopAt: `${world.origin}/auth/callback` };
    const state = /name="state"[^>]*value="([^"]*)"/.exec(shown.text)?.[1] ?? '';
    const action = /action="([^"]*)"/.exec(shown.text)?.[1]?.replaceAll('&amp;', '&') ?? '';
    const form = { state, code: codeOf(world.user.totpSecret ?? '') };
    const { url } = await person.visit(new URL(action, shown.url).href, {
      method: 'POST',
      form,
      ...door,
    });
    const page = await cutOff(person, url, moments.after);
    expect(page.headers.getSetCookie().filter((line) => line.includes('_session='))).toEqual([]);
    expect(linkOf(page)).toContain('/auth/step-up?returnTo=%2Fdeep%3Fx%3D1');
    expect((await follow(person, page)).url).toBe(`${world.origin}/deep?x=1`);
    expect((await person.call(...create)).status).toBe(202);
  },
);

test.each(['\r\nread\r\n', '\r\nend\r\n'])(
  'a connection cut off at the callback (%j) begins anew by the page’s link',
  async (verb) => {
    const person = world.person();
    await person.signIn();
    const path = '/auth/connect?connection=google-oauth2&returnTo=%2Faccounts%3Ftab%3D1';
    const answer = async (page: Seen, stopAt?: string): Promise<Seen> => {
      const ticket = /name="ticket" value="([^"]*)"/.exec(page.text)?.[1] ?? '';
      const form = { ticket, login: `${verb.trim()}@provider.example`, answer: 'allow' };
      return person.visit(page.url, {
        method: 'POST',
        form,
        ...(stopAt !== undefined && { stopAt }),
      });
    };
    const provider = async (start: string): Promise<Seen> =>
      toTheProvider(person, await person.visit(start, { headers: own }));
    const { url } = await answer(await provider(path), `${world.origin}/auth/connect/callback`);
    const page = await cutOff(person, url, verb);
    let again = await person.visit(linkOf(page), { headers: own });
    for (const end = Date.now() + 60_000; again.status === 503 && Date.now() < end;) {
      await sleep(50);
      again = await person.visit(linkOf(page), { headers: own });
    }
    const back = await answer(await toTheProvider(person, again));
    expect(back.url).toBe(`${world.origin}/accounts?tab=1`);
    const { accounts } = (
      await person.call('GET', '/api/me/v1/connected-accounts/accounts', undefined, {
        'cache-control': 'no-cache',
      })
    ).json() as { accounts: unknown[] };
    expect(accounts.length).toBeGreaterThan(0);
  },
);

/** Sends a callback as this browser, whose answer is then lost: no cookie of it arrives. */
const loseAnswer = async (person: Person, callback: string): Promise<number> => {
  const cookie = await person.jar.getCookieString(world.origin);
  const headers = { cookie, accept: 'text/html', 'sec-fetch-mode': 'navigate' };
  return (await fetch(callback, { redirect: 'manual', headers })).status;
};

test('a callback that a proxy sends a second time begins the sign-in anew, with nothing to click', async () => {
  const person = world.person();
  const callback = await toTheDoor(
    person,
    await person.visit('/auth/login?returnTo=/deep%3Fx%3D1'),
  );
  expect(await loseAnswer(person, callback)).toBe(303);
  expect((await person.visit(callback)).url).toBe(`${world.origin}/deep?x=1`);
  expect((await person.call('GET', '/auth/session')).json()).toMatchObject({ authenticated: true });
});

test('a sign-in begun anew by itself is not begun a third time: it ends in a page', async () => {
  const person = world.person();
  const callback = await toTheDoor(person, await person.visit('/auth/login?returnTo=/deep'));
  await loseAnswer(person, callback);
  const second = await person.visit(callback, { stopAt: `${world.origin}/auth/callback` });
  expect(second.url).toContain('/auth/callback?');
  await loseAnswer(person, second.url);
  const page = await person.visit(second.url);
  expect([page.status, linkOf(page)]).toEqual([400, '/auth/login?returnTo=%2Fdeep']);
  expect((await follow(person, page)).url).toBe(`${world.origin}/deep`);
});

test('a script that brings a spent callback is told so, and nothing is begun', async () => {
  const person = world.person();
  const callback = await toTheDoor(person, await person.visit('/auth/login?returnTo=/deep'));
  await loseAnswer(person, callback);
  expect((await person.call('GET', callback)).json()).toMatchObject({
    code: 'login_failed',
    returnTo: '/deep',
  });
});

test('a sign-in that the tenant cuts off leads to a new one as well', async () => {
  const person = world.person();
  const callback = await toTheDoor(person, await person.visit('/auth/login?returnTo=/deep'));
  world.tenant.faults.add({ path: '/oauth/token', times: 1, reset: 'after-handling' });
  const page = await person.visit(callback);
  expect(page.status).toBe(502);
  expect((await follow(person, page)).url).toBe(`${world.origin}/deep`);
});
