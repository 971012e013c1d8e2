import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createRedis, type Redis } from '../../../../src/gateway/redis/client.ts';
import { meansFull, scriptWhenFull } from '../../../../src/gateway/redis/full.ts';
import { startRedis, type RedisServer } from '../../../helpers/redis.ts';

const write = "return redis.call('SET', KEYS[1], ARGV[1])";
let server: RedisServer;
let redis: Redis;
beforeEach(async () => {
  server = await startRedis();
  redis = createRedis({ url: server.url }, { info: () => undefined, warn: () => undefined });
  await redis.command('CONFIG', 'SET', 'maxmemory', 1);
});
afterEach(async () => {
  await redis.close();
  await server.stop();
});

test('runs where any other script is refused', async () => {
  await expect(scriptWhenFull(redis, write)(['key'], ['x'])).resolves.toBe('OK');
  const refused: unknown = await redis
    .script(write)(['key'], ['x'])
    .catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 'store_unavailable' });
  expect(meansFull(refused)).toBe(true);
});

test('runs as any other on a Redis that does not know such scripts', async () => {
  // As 6.2 says it; such a server is not at hand.
  const unknown = new Error("ERR Error compiling script (new function): user_script:1: unexpected symbol near '#'");
  const older: Redis = {
    ...redis,
    script: (lua, replies) => (lua.startsWith('#!') ? async () => Promise.reject(unknown) : redis.script(lua, replies)),
  };
  await redis.command('CONFIG', 'SET', 'maxmemory', 0);
  const run = scriptWhenFull(older, write);
  await expect(run(['key'], ['x'])).resolves.toBe('OK');
  await expect(run(['key'], ['y'])).resolves.toBe('OK');
});
