import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createRedis } from '../../../../src/gateway/redis/client.ts';
import { Skipped } from '../../../../src/gateway/redis/scripts.ts';
import type { Redis } from '../../../../src/gateway/redis/client.ts';
import { startRedis } from '../../../helpers/redis.ts';
import type { RedisServer } from '../../../helpers/redis.ts';

const log = { info: () => undefined, warn: () => undefined };
const unavailable = { code: 'store_unavailable', status: 503, headers: { 'Retry-After': '1' } };

describe('the door to Redis', () => {
  let server: RedisServer;
  let redis: Redis;
  beforeEach(async () => {
    server = await startRedis();
    redis = createRedis({ url: server.url, deadlineMs: 500 }, log);
  });
  afterEach(async () => {
    await redis.close();
    await server.stop();
  });

  /** Why it failed, or that a timer of this process was over before: their order does not depend on how busy the machine is. */
  const first = async (work: Promise<unknown>, ms: number): Promise<unknown> =>
    Promise.race([work.catch((reason: unknown) => reason), sleep(ms, `not within ${ms} ms`)]);

  test('waits for the first connection instead of failing the first command', async () => {
    await expect(redis.command('PING')).resolves.toBe('PONG');
  });

  test('gives bytes back as they were stored', async () => {
    const bytes = Buffer.from([0, 255, 254, 10, 13]);
    await redis.command('SET', 'bytes', bytes);
    await expect(redis.commandBuffer('GET', 'bytes')).resolves.toEqual(bytes);
  });

  test('keeps all keys under its prefix, those of scripts too', async () => {
    const other = createRedis({ url: server.url, keyPrefix: '' }, log);
    await redis.command('SET', 'plain', 'x');
    await redis.script(
      'return function(KEYS, ARGV) return redis.call("SET", KEYS[1], ARGV[1]) end',
    )(['{tag}scripted'], ['y']);
    const keys = await other.command('KEYS', '*');
    await other.close();
    expect(new Set(keys as string[])).toEqual(new Set(['mab:plain', 'mab:{tag}scripted']));
  });

  test('runs a script again after the server has forgotten it', async () => {
    const double = redis.script('return function(KEYS, ARGV) return tonumber(ARGV[1]) * 2 end');
    await expect(double([], [4])).resolves.toBe(8);
    await redis.command('SCRIPT', 'FLUSH');
    await expect(double([], [5])).resolves.toBe(10);
  });

  test('sends the script calls of one turn as one command, and one failing call fails alone', async () => {
    const set = redis.script(
      'return function(KEYS, ARGV) return redis.call("SET", KEYS[1], ARGV[1]) end',
    );
    const wrong = redis.script(
      'return function(KEYS, ARGV) return redis.call("INCR", KEYS[1]) end',
    );
    await set(['a'], ['first']);
    const calls = async (): Promise<number> =>
      Number(
        /cmdstat_evalsha:calls=(\d+)/.exec(
          String(await redis.command('INFO', 'commandstats')),
        )?.[1] ?? 0,
      );
    const before = await calls();
    const all = await Promise.allSettled([
      ...Array.from({ length: 10 }, (_, i) => set([`k${i}`], [i])),
      wrong(['a'], []),
    ]);
    expect(all.map(({ status }) => status)).toEqual([
      ...Array.from({ length: 10 }, () => 'fulfilled'),
      'rejected',
    ]);
    expect((await calls()) - before).toBe(1);
    await expect(redis.command('GET', 'k7')).resolves.toBe('7');
  });

  test('a chain goes no further than the call that says stop, or fails', async () => {
    const step = redis.script(
      'return function(KEYS, ARGV) redis.call("SET", KEYS[1], "run") return ARGV[1], ARGV[1] == "stop" end',
    );
    const broken = redis.script('return function(KEYS, ARGV) return redis.call("NOTHING") end');
    const chain = redis.pipeline();
    const outcomes = Promise.allSettled([
      step(['one'], ['go'], chain),
      step(['two'], ['stop'], chain),
      step(['three'], ['go'], chain),
    ]);
    chain.send();
    const failing = redis.pipeline();
    const failed = Promise.allSettled([broken([], [], failing), step(['four'], ['go'], failing)]);
    failing.send();
    const [one, two, three] = await outcomes;
    expect([one, two]).toMatchObject([{ value: 'go' }, { value: 'stop' }]);
    expect(three).toMatchObject({ reason: expect.any(Skipped) });
    expect((await failed).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    for (const [key, value] of Object.entries({ one: 'run', two: 'run', three: null, four: null }))
      await expect(redis.command('GET', key)).resolves.toBe(value);
  });

  test('fails as store_unavailable within its deadline while Redis is gone, and serves again by itself when it is back', async () => {
    await redis.command('PING');
    await server.stop();
    expect(await first(redis.command('GET', 'key'), 5_000)).toMatchObject(unavailable);
    await sleep(500);
    // It has been gone for longer than the deadline: there is nothing to wait for.
    expect(await first(redis.command('GET', 'key'), 100)).toMatchObject(unavailable);
    await server.start();
    expect(await redis.opened(60_000)).toBe(true);
    await expect(redis.command('PING')).resolves.toBe('PONG');
  });

  test('fails within its deadline when Redis takes commands and answers none', async () => {
    await redis.command('PING');
    server.freeze();
    expect(await first(redis.command('SET', 'key', 'value'), 5_000)).toMatchObject(unavailable);
    server.thaw();
  });

  test('never executes a command it has given up while disconnected', async () => {
    await redis.command('PING');
    await server.stop();
    await Promise.allSettled(Array.from({ length: 50 }, () => redis.command('INCR', 'counter')));
    await server.start();
    expect(await redis.opened(60_000)).toBe(true);
    await expect(redis.command('GET', 'counter')).resolves.toBeNull();
  });

  test('tells a wrong command from a store that cannot serve', async () => {
    await redis.command('SET', 'text', 'x');
    await expect(redis.command('INCR', 'text')).rejects.toMatchObject({ name: 'ReplyError' });
    await redis.command('CONFIG', 'SET', 'maxmemory', '1');
    await expect(redis.command('SET', 'more', 'x')).rejects.toMatchObject(unavailable);
  });

  test('passes messages between connections and takes its subscriptions up again after a loss', async () => {
    const other = createRedis({ url: server.url }, log);
    const heard: string[] = [];
    await redis.subscribe('news', (message) => heard.push(message)).ready;
    const until = async (count: number) => {
      for (let turn = 0; turn < 200 && heard.length < count; turn++) {
        await other.publish('news', `message ${String(count)}`).catch(() => undefined);
        await sleep(20);
      }
    };
    await until(1);
    await server.stop();
    await server.start();
    const before = heard.length;
    await until(before + 1);
    await other.close();
    expect(heard.length).toBeGreaterThan(before);
  });

  test('closes without leaving a command hanging', async () => {
    await redis.command('PING');
    await redis.close();
    await expect(redis.command('PING')).rejects.toMatchObject(unavailable);
  });
});
