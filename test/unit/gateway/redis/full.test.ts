import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createRedis, type Redis } from '../../../../src/gateway/redis/client.ts';
import { evenWhenFull, meansFull } from '../../../../src/gateway/redis/full.ts';
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

test('on a full Redis scripts run, but for those whose keys grow, also when both are sent in one turn', async () => {
  const [stays, grows] = [redis.script(write), redis.script(write, 'text', 'grows')];
  const [done, refused] = await Promise.allSettled([stays(['key'], ['x']), grows(['key'], ['x'])]);
  expect(done).toMatchObject({ status: 'fulfilled', value: 'OK' });
  expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'store_unavailable' } });
  expect(meansFull(refused.status === 'rejected' && refused.reason)).toBe(true);
});

test('on a Redis that does not know such scripts they run as any other', async () => {
  // As 6.2 says it; such a server is not at hand.
  const unknown = new Error("ERR Error compiling script (new function): user_script:1: unexpected symbol near '#'");
  const seen: string[] = [];
  const run = evenWhenFull(async (lua) => {
    seen.push(lua.startsWith('#!') ? 'flagged' : 'plain');
    return lua.startsWith('#!') ? Promise.reject(unknown) : Promise.resolve('OK');
  });
  expect([await run(write, 'digest', [], []), await run(write, 'digest', [], [])]).toEqual(['OK', 'OK']);
  expect(seen).toEqual(['flagged', 'plain', 'plain']);
});
