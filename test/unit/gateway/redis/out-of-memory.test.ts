import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createRedis, meansOutOfMemory, type Redis } from '../../../../src/gateway/redis/client.ts';
import { createScriptRunner } from '../../../../src/gateway/redis/connection.ts';
import { startRedis, type RedisServer } from '../../../helpers/redis.ts';

const write = "return function(KEYS, ARGV) return redis.call('SET', KEYS[1], ARGV[1]) end";
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

test('on a full Redis scripts run, but for those that may not, also when both are sent in one turn', async () => {
  const [stays, grows] = [redis.script(write), redis.script(write, { allowOom: false })];
  const [done, refused] = await Promise.allSettled([stays(['key'], ['x']), grows(['key'], ['x'])]);
  expect(done).toMatchObject({ status: 'fulfilled', value: 'OK' });
  expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'store_unavailable' } });
  expect(meansOutOfMemory(refused.status === 'rejected' && refused.reason)).toBe(true);
});

test('on a Redis that does not know such scripts they run as any other', async () => {
  // As 6.2 says it; such a server is not at hand.
  const unknown = new Error(
    "ERR Error compiling script (new function): user_script:1: unexpected symbol near '#'",
  );
  const seen: string[] = [];
  const run = createScriptRunner(
    {
      defineCommand: (name) => void seen.push(`defined ${name}`),
      batchBuffer: () => Promise.resolve('OK'),
      batchEvenWhenFullBuffer: () => Promise.reject(unknown),
    },
    { allowOom: true },
  );
  expect([await run(write, [], []), await run(write, [], [])]).toEqual(['OK', 'OK']);
  expect(seen).toEqual(['defined batchEvenWhenFull', 'defined batch']);
});
