import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startWorld, type World } from '../helpers/world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(async () => world.close());

/** Goes to Auth0 and back, but stops at the callback's door. */
const toTheDoor = async (person = world.person(), query = 'returnTo=/deep?x=1') => {
  const shown = await person.visit(`/auth/login?${query}`);
  const action = new URL(
    /action="([^"]*)"/.exec(shown.text)?.[1]?.replaceAll('&amp;', '&') ?? '',
    shown.url,
  ).href;
  const state = /name="state"[^>]*value="([^"]*)"/.exec(shown.text)?.[1] ?? '';
  const door = `${world.origin}/auth/callback`;
  const { url } = await person.visit(action, {
    method: 'POST',
    form: { state, username: world.user.email, password: world.user.password },
    stopAt: door,
  });
  return { person, callback: url };
};

describe('a callback', () => {
  test('is taken once: the second time it leads where the first did, and nothing is spent again', async () => {
    const { person, callback } = await toTheDoor();
    expect((await person.visit(callback)).url).toBe(`${world.origin}/deep?x=1`);
    const since = world.tenant.requests().at(-1)?.id ?? 0;
    expect((await person.visit(callback)).url).toBe(`${world.origin}/deep?x=1`);
    expect(world.tenant.requests(since)).toEqual([]);
    expect((await person.call('GET', '/auth/session')).json()).toMatchObject({
      authenticated: true,
    });
  });

  test('is taken once even with its cookie copied: the code is not spent a second time, and the first session lives on', async () => {
    const { person, callback } = await toTheDoor();
    const copy = world.person();
    for (const cookie of await person.jar.getCookies(world.origin))
      await copy.jar.setCookie(cookie, world.origin);
    const since = world.tenant.requests().at(-1)?.id ?? 0;
    await person.visit(callback);
    expect((await copy.call('GET', callback)).json()).toMatchObject({ code: 'login_failed' });
    expect(world.tenant.requests(since).filter(({ path }) => path === '/oauth/token')).toHaveLength(
      1,
    );
    expect((await copy.call('GET', '/auth/session')).json()).toEqual({ authenticated: false });
    expect((await person.call('GET', '/api/me/v1/factors')).status).toBe(200);
  });

  test('in a browser that did not begin it signs nobody in, and keeps the way back', async () => {
    const { callback } = await toTheDoor();
    const stranger = world.person();
    const page = await stranger.visit(callback);
    expect(page.status).toBe(400);
    expect(page.text).toContain('returnTo=%2Fdeep%3Fx%3D1');
    expect((await stranger.call('GET', '/auth/session')).json()).toEqual({ authenticated: false });
    const problem = await stranger.call('GET', callback);
    expect(problem.json()).toMatchObject({
      code: 'login_expired',
      status: 400,
      returnTo: '/deep?x=1',
    });
  });

  test.each([
    ['without anything', ''],
    ['with a state nobody made', '?code=abc&state=made-up'],
    [
      'with an error and no state',
      '?error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E',
    ],
    ['with the state twice', '?state=a&state=b&code=c'],
    ['with binary rubbish', '?state=%00%ff%fe&code=%0d%0aSet-Cookie:%20a=b'],
  ])(
    '%s is a readable page for a person and a problem for a script, and repeats nothing',
    async (_name, query) => {
      const person = world.person();
      const page = await person.visit(`/auth/callback${query}`);
      expect(page.status).toBe(400);
      expect(page.text).not.toMatch(/<script|access_denied|Set-Cookie/);
      const problem = await person.call('GET', `/auth/callback${query}`);
      expect(problem.status).toBe(400);
      expect(problem.headers.get('content-type')).toContain('application/problem+json');
      expect(problem.json()).toMatchObject({ code: 'login_failed' });
    },
  );

  test('with an error of Auth0 for a sign-in begun here keeps the way back', async () => {
    const person = world.person();
    const { url } = await person.visit('/auth/login?returnTo=/kept&prompt=none', {
      stopAt: `${world.origin}/auth/callback`,
    });
    expect(url).toContain('error=login_required');
    const problem = await person.call('GET', url);
    expect(problem.json()).toMatchObject({
      code: 'login_failed',
      returnTo: '/kept',
      loginUrl: expect.stringContaining('/auth/login?returnTo=%2Fkept'),
    });
  });

  test('with a code of another transaction is refused', async () => {
    const [mine, theirs] = [await toTheDoor(), await toTheDoor()];
    const mixed = new URL(mine.callback);
    mixed.searchParams.set('code', new URL(theirs.callback).searchParams.get('code') ?? '');
    const answer = await mine.person.visit(mixed.href);
    expect(answer.status).toBe(400);
    expect((await mine.person.call('GET', '/auth/session')).json()).toEqual({
      authenticated: false,
    });
  });
});

test('several tabs at once finish in any order', async () => {
  const person = world.person();
  const doors = [
    await toTheDoor(person, 'returnTo=/1'),
    await person.visit('/auth/login?returnTo=/2', { stopAt: `${world.origin}/auth/callback` }),
    await person.visit('/auth/login?returnTo=/3', { stopAt: `${world.origin}/auth/callback` }),
  ];
  const [first, second, third] = [doors[0], doors[1], doors[2]];
  if (
    !first ||
    !second ||
    !third ||
    !('callback' in first) ||
    !('url' in second) ||
    !('url' in third)
  )
    throw new Error('not at the door');
  expect((await person.visit(third.url)).url).toBe(`${world.origin}/3`);
  expect((await person.visit(first.callback)).url).toBe(`${world.origin}/1`);
  expect((await person.visit(second.url)).url).toBe(`${world.origin}/2`);
});

test('fifty begun sign-ins leave at most five cookies, under a kilobyte, and the latest still finishes', async () => {
  const person = world.person();
  for (let i = 0; i < 50; i += 1) await person.visit('/auth/login', { stopAt: world.tenant.url });
  const cookies = await person.jar.getCookies(world.origin);
  expect(cookies.length).toBeLessThanOrEqual(5);
  expect((await person.jar.getCookieString(world.origin)).length).toBeLessThan(1_024);
  expect((await person.signIn('/last')).url).toBe(`${world.origin}/last`);
});

test('a sign-in gives a new session id, and the old session ends', async () => {
  const person = world.person();
  await person.signIn();
  const before = await person.jar.getCookieString(world.origin);
  await person.visit('/auth/login');
  const after = await person.jar.getCookieString(world.origin);
  expect(after).not.toBe(before);
  const old = await fetch(`${world.origin}/auth/profile`, { headers: { cookie: before } });
  expect(old.status).toBe(401);
});

test('a planted session id is not taken over at sign-in', async () => {
  const person = world.person();
  await person.jar.setCookie('my_account_session=s%3Aplanted.value; Path=/', world.origin);
  await person.signIn();
  expect(await person.jar.getCookieString(world.origin)).not.toContain('planted');
});

test('a prefetch begins no sign-in', async () => {
  const answer = await world
    .person()
    .call('GET', '/auth/login', undefined, { 'sec-purpose': 'prefetch' });
  expect(answer.status).toBe(204);
  expect(answer.headers.getSetCookie()).toEqual([]);
});

test('parameters of the tenant cannot be planted through returnTo or the query', async () => {
  const person = world.person();
  const since = world.tenant.requests().at(-1)?.id ?? 0;
  await person.visit(
    `/auth/login?${new URLSearchParams({ returnTo: '/x?client_id=evil&redirect_uri=https://evil.example', client_id: 'evil', scope: 'delete:me:everything' }).toString()}`,
  );
  const seen = JSON.stringify(world.tenant.requests(since));
  expect(seen).not.toMatch(/evil|delete:me:everything/);
});

test('leaving: another site cannot sign anybody out, the page and the person can', async () => {
  const person = world.person();
  await person.signIn();
  const foreign = await person.visit('/auth/logout', {
    headers: { 'sec-fetch-site': 'cross-site' },
  });
  expect(foreign.status).toBe(403);
  expect((await person.call('GET', '/auth/session')).json()).toMatchObject({ authenticated: true });
  const own = await person.call('POST', '/auth/logout');
  expect(own.headers.get('clear-site-data')).toBe('"cache", "storage"');
  expect((own.json() as { logoutUrl: string }).logoutUrl).toContain(world.tenant.url);
  expect((await person.call('GET', '/auth/session')).json()).toEqual({ authenticated: false });
});

test('leaving works while Auth0 is away', async () => {
  const person = world.person();
  await person.signIn();
  world.tenant.faults.add({ path: '/oauth/revoke', times: 5, reset: 'before-headers' });
  const own = await person.call('POST', '/auth/logout');
  expect(own.status).toBe(200);
  expect((await person.call('GET', '/auth/profile')).status).toBe(401);
});
