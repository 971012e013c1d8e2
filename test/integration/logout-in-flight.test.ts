import { afterEach, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRedis } from '../../src/gateway/redis/client.ts';
import { startWorld, type World } from '../helpers/world.ts';

let world: World;
afterEach(async () => world.close());
const methods = '/api/me/v1/authentication-methods';
const roomy = {
  RATE_LIMIT_USER_READ: '10000',
  RATE_LIMIT_USER_FACTORS_READ: '10000',
  RATE_LIMIT_TENANT_READ: '10000',
  RATE_LIMIT_TENANT_FACTORS_READ: '10000',
  READ_KEEP_SECONDS: '0',
};

const keys = async (pattern: string): Promise<string[]> => {
  const redis = createRedis(
    { url: world.redis?.url ?? '', keyPrefix: '' },
    { info: () => undefined, warn: () => undefined },
  );
  const found = (await redis.command('KEYS', pattern)) as string[];
  await redis.close();
  return found;
};

test('signing out during a hundred requests, a refresh among them, leaves no session behind', async () => {
  world = await startWorld({
    gateways: 2,
    settings: roomy,
    tenant: { tokens: { accessTokenSeconds: 1 }, limits: { enforced: false } },
  });
  const person = world.person();
  await person.signIn();
  const cookie = await person.jar.getCookieString(world.origin);
  await sleep(1_100);
  world.tenant.faults.add(
    { path: '/oauth/token', times: 1, delayMs: 300 },
    { path: '/me/', times: 50, delayMs: 200 },
  );
  const flying = Array.from({ length: 100 }, async (_, i) => {
    await sleep(i * 5);
    return fetch(world.origin + methods, { headers: { cookie, 'x-csrf': '1' } }).then(
      ({ status }) => status,
    );
  });
  await sleep(250);
  expect((await person.call('POST', '/auth/logout')).status).toBe(200);
  const statuses = await Promise.all(flying);
  expect(statuses.filter((status) => ![200, 401].includes(status))).toEqual([]);
  await sleep(500);
  expect(await keys('*session:*')).toEqual([]);
  expect((await fetch(`${world.origin}/auth/profile`, { headers: { cookie } })).status).toBe(401);
  // The token that the refresh in flight brought is not left alive at Auth0 either.
  const revoked = world.tenant.requests().filter(({ path }) => path === '/oauth/revoke');
  expect(revoked.length).toBeGreaterThanOrEqual(1);
});

test('the list of sessions shows and ends them over two gateways, and nobody else’s', async () => {
  world = await startWorld({ gateways: 2 });
  const [here, there, third] = [world.person(), world.person(), world.person()];
  for (const person of [here, there, third]) await person.signIn();
  const listed = async () =>
    (await here.call('GET', '/auth/sessions')).json() as {
      sessions: { id: string; current: boolean; device: string }[];
    };
  const { sessions } = await listed();
  expect(sessions).toHaveLength(3);
  expect(sessions.filter(({ current }) => current)).toHaveLength(1);
  const [other] = (
    await there
      .call('GET', '/auth/sessions')
      .then((seen) => seen.json() as { sessions: typeof sessions })
  ).sessions.filter(({ current }) => current);
  expect((await here.call('DELETE', `/auth/sessions/${other?.id ?? ''}`)).status).toBe(204);
  expect((await there.call('GET', '/auth/profile')).status).toBe(401);
  expect((await here.call('DELETE', '/auth/sessions/unknown')).status).toBe(404);
  expect((await here.call('DELETE', '/auth/sessions')).json()).toEqual({ ended: 1 });
  expect((await third.call('GET', '/auth/profile')).status).toBe(401);
  expect((await here.call('GET', '/auth/profile')).status).toBe(200);
});

test('idle and absolute end are the server’s: looking at the status extends nothing, staying signed in does, and neither passes the absolute end', async () => {
  world = await startWorld({
    redis: true,
    settings: { SESSION_IDLE_TIMEOUT: '2', SESSION_ABSOLUTE_TIMEOUT: '5' },
  });
  const [looking, staying] = [world.person(), world.person()];
  await looking.signIn();
  await staying.signIn();
  const alive = async (person: typeof looking): Promise<boolean> =>
    ((await person.call('GET', '/auth/session')).json() as { authenticated: boolean })
      .authenticated;
  for (let i = 0; i < 3; i += 1) {
    await sleep(800);
    await alive(looking);
    expect((await staying.call('POST', '/auth/session')).status).toBe(200);
  }
  expect([await alive(looking), await alive(staying)]).toEqual([false, true]);
  for (let i = 0; i < 4; i += 1) {
    await sleep(800);
    await staying.call('POST', '/auth/session');
  }
  expect(await alive(staying)).toBe(false);
});

test('a stolen cookie is worth nothing after the end, and key names in Redis tell neither cookie nor user', async () => {
  world = await startWorld({ redis: true });
  const person = world.person();
  await person.signIn();
  const cookie = decodeURIComponent(await person.jar.getCookieString(world.origin));
  const names = (await keys('*')).join('\n');
  expect(names).toContain('session:');
  const ticket = /s:([\w-]+)\./.exec(cookie)?.[1] ?? 'none';
  for (let i = 0; i + 8 <= ticket.length; i += 4)
    expect(names).not.toContain(ticket.slice(i, i + 8));
  expect(names).not.toMatch(/auth0\||demo|@/);
  await person.call('POST', '/auth/logout');
  expect(
    (
      await fetch(`${world.origin}/auth/profile`, {
        headers: { cookie: await person.jar.getCookieString(world.origin) },
      })
    ).status,
  ).toBe(401);
});
