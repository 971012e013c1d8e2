import { afterEach, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRedis } from '../../src/gateway/redis/client.ts';
import { startRedis } from '../helpers/redis.ts';
import { startWorld, type World } from '../helpers/world.ts';

let world: World;
afterEach(async () => world.close());

test('Redis stopped: 503, the cookie is kept, nobody without a session notices; started again with its data gone it is a sign-in, never an error', async () => {
  world = await startWorld({ redis: true });
  const person = world.person();
  await person.signIn();
  const cookie = await person.jar.getCookieString(world.origin);
  await world.redis?.stop();
  for (const path of ['/api/me/v1/factors', '/auth/profile', '/auth/session']) {
    const answer = await person.call('GET', path);
    expect(answer.status).toBe(503);
    expect(answer.json()).toMatchObject({ code: 'store_unavailable' });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(answer.headers.getSetCookie()).toEqual([]);
  }
  expect(await person.jar.getCookieString(world.origin)).toBe(cookie);
  expect((await world.person().call('GET', '/auth/session')).json()).toEqual({
    authenticated: false,
  });
  expect((await world.person().call('GET', '/api/me/v1/factors')).status).toBe(401);
  await world.redis?.start();
  let after = await person.call('GET', '/api/me/v1/factors');
  for (let i = 0; i < 600 && after.status === 503; i += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    after = await person.call('GET', '/api/me/v1/factors');
  }
  expect(after.json()).toMatchObject({ code: 'login_required' });
});

test('Redis frozen and thawed: 503 meanwhile, and the same session works afterwards', async () => {
  world = await startWorld({ redis: true });
  const person = world.person();
  await person.signIn();
  world.redis?.freeze();
  const during = await person.call('GET', '/api/me/v1/factors');
  expect(during.status).toBe(503);
  world.redis?.thaw();
  let after = await person.call('GET', '/api/me/v1/factors');
  for (let i = 0; i < 600 && after.status !== 200; i += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    after = await person.call('GET', '/api/me/v1/factors');
  }
  expect(after.status).toBe(200);
});

test('Redis stopped and started again with its data: the same cookie works, without a new sign-in', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'redis-kept-'));
  const redis = await startRedis([
    '--appendonly',
    'yes',
    '--appendfsync',
    'always',
    '--dir',
    folder,
  ]);
  try {
    world = await startWorld({ settings: { REDIS_URL: redis.url } });
    const person = world.person();
    await person.signIn();
    await redis.stop();
    expect((await person.call('GET', '/api/me/v1/factors')).status).toBe(503);
    await redis.start();
    let after = await person.call('GET', '/api/me/v1/factors');
    for (let i = 0; i < 600 && after.status === 503; i += 1) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      after = await person.call('GET', '/api/me/v1/factors');
    }
    expect(after.status).toBe(200);
    expect((await person.call('GET', '/auth/session')).json()).toMatchObject({
      authenticated: true,
    });
  } finally {
    await redis.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
});

test.each(['0', '30'])(
  'Redis forgets all scripts in the middle of traffic (answers kept %s s): nobody notices',
  async (keep) => {
    world = await startWorld({
      gateways: 2,
      settings: {
        READ_KEEP_SECONDS: keep,
        RATE_LIMIT_USER_READ: '10000',
        RATE_LIMIT_USER_FACTORS_READ: '10000',
        RATE_LIMIT_TENANT_READ: '10000',
        RATE_LIMIT_TENANT_FACTORS_READ: '10000',
      },
      tenant: { limits: { enforced: false }, tokens: { accessTokenSeconds: 3 } },
    });
    const person = world.person();
    await person.signIn();
    const redis = createRedis(
      { url: world.redis?.url ?? '' },
      { info: () => undefined, warn: () => undefined },
    );
    const until = performance.now() + 4_000;
    const use = async (): Promise<number[]> => {
      const seen: number[] = [];
      while (performance.now() < until)
        seen.push((await person.call('GET', '/api/me/v1/factors')).status);
      return seen;
    };
    const flush = async (): Promise<void> => {
      while (performance.now() < until) {
        await redis.command('SCRIPT', 'FLUSH');
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    const [seen] = await Promise.all([Promise.all([use(), use(), use()]), flush()]);
    await redis.close();
    expect(seen.flat().length).toBeGreaterThan(20);
    expect(seen.flat().filter((status) => status !== 200)).toEqual([]);
  },
);
