import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { BucketName } from '../../../../config/plans.ts';
import { rateLimitHeaders } from '../../../../src/gateway/limiter/headers.ts';
import { createLimiter } from '../../../../src/gateway/limiter/limiter.ts';
import type {
  Limiter,
  LimiterEvent,
  LimiterOptions,
  Verdict,
} from '../../../../src/gateway/limiter/limiter.ts';
import { createRedis } from '../../../../src/gateway/redis/client.ts';
import type { Redis } from '../../../../src/gateway/redis/client.ts';
import { startRedis } from '../../../helpers/redis.ts';
import type { RedisServer } from '../../../helpers/redis.ts';

const quiet = { info: () => undefined, warn: () => undefined };
const tenant = 'https://tenant.example/';
const read = 'authentication_methods_read';
const write = 'authentication_methods_write';
const key = (rest: string): string => `auth0-limits:{${tenant}}:${rest}`;
const take = (limiter: Limiter, user: string, bucket: BucketName = read): Promise<Verdict> =>
  limiter.take({ user, bucket });
// A bucket that Redis knows nothing of begins with one token.
const begin = async (limiter: Limiter): Promise<void> => {
  for (const bucket of [read, write] as const) await take(limiter, 'nobody', bucket);
};
const refusal = (verdict: Verdict) => {
  if (verdict.admitted) throw new Error('expected a refusal');
  return verdict;
};

describe('the limiter of one process', () => {
  let now = 0;
  const make = (options: Partial<LimiterOptions> = {}) =>
    createLimiter({ tenant, plan: 'enterprise', deadlineMs: 0, now: () => now, ...options });
  beforeEach(() => {
    now = 5_000;
  });
  const settled = async (options: Partial<LimiterOptions> = {}) => {
    const limiter = make(options);
    now += 1_000;
    return Promise.resolve(limiter);
  };

  test("tells the user's own numbers, never the tenant's", async () => {
    const limiter = await settled();
    const verdict = await take(limiter, 'ann');
    expect(verdict.quota).toEqual({ limit: 5, remaining: 4, resetIn: 13 });
    expect(await limiter.peek('ann')).toMatchObject({
      [read]: { limit: 5, remaining: 4, resetIn: 13 },
      [write]: { limit: 5, remaining: 5, resetIn: 0 },
      authentication_methods_read_filtered: { limit: 20, remaining: 20, resetIn: 0 },
      connected_accounts_create_flow: { limit: 10, remaining: 10, resetIn: 0 },
    });
    expect(rateLimitHeaders(read, verdict.quota)).toEqual({
      RateLimit: '"authentication_methods_read";r=4;t=13',
      'RateLimit-Policy': '"authentication_methods_read";q=5;w=60',
    });
  });

  test('waiting exactly as long as told succeeds, one second less does not', async () => {
    const limiter = await settled({ plan: 'free' });
    now += 2_000;
    await take(limiter, 'ann');
    now += 1_000;
    await take(limiter, 'ann');
    const { by, retryAfterSeconds, quota } = refusal(await take(limiter, 'ann'));
    expect(by).toBe('user');
    expect(quota).toMatchObject({ remaining: 0, resetIn: retryAfterSeconds });
    now += (retryAfterSeconds - 1) * 1_000;
    expect((await take(limiter, 'ann')).admitted).toBe(false);
    now += 1_000;
    expect((await take(limiter, 'ann')).admitted).toBe(true);
  });

  test('asks nobody again while a bucket is known to be empty, and counts the wait down', async () => {
    const limiter = await settled();
    for (let turn = 0; turn < 5; turn++) await take(limiter, 'ann');
    const first = refusal(await take(limiter, 'ann'));
    now += 4_000;
    expect(refusal(await take(limiter, 'ann')).retryAfterSeconds).toBe(first.retryAfterSeconds - 4);
    expect((await take(limiter, 'bob')).admitted).toBe(true);
  });

  test('gives a place back once, however often it is asked to', async () => {
    const limiter = await settled();
    const verdicts = [];
    for (let turn = 0; turn < 5; turn++) verdicts.push(await take(limiter, 'ann'));
    expect((await take(limiter, 'ann')).admitted).toBe(false);
    const last = verdicts.at(-1);
    if (last?.admitted) {
      last.refund();
      last.refund();
    }
    expect((await take(limiter, 'ann')).admitted).toBe(true);
    expect((await take(limiter, 'ann')).admitted).toBe(false);
  });

  test("is closed for one user by that user's 429, and for all by the tenant's", async () => {
    const limiter = await settled();
    const limits = { 'x-ratelimit-limit': '5', 'x-ratelimit-remaining': '0' };
    limiter.feedback({
      user: 'ann',
      bucket: read,
      status: 429,
      headers: { ...limits, 'retry-after': '7' },
    });
    const { by, retryAfterSeconds } = refusal(await take(limiter, 'ann'));
    expect([by, retryAfterSeconds]).toEqual(['user', 7]);
    expect((await take(limiter, 'bob')).admitted).toBe(true);
    limiter.feedback({
      user: 'bob',
      bucket: read,
      status: 429,
      headers: { 'retry-after': '1', 'x-auth0-error-kind': 'global-rate-limit' },
    });
    expect(refusal(await take(limiter, 'eve')).by).toBe('tenant');
  });

  test('learns what a user has spent in another application, and ignores what it knew', async () => {
    const limiter = await settled();
    await take(limiter, 'ann');
    const reset = String(Math.ceil(Date.now() / 1_000) + 50);
    const headers = (remaining: string) => ({
      'x-ratelimit-limit': '5',
      'x-ratelimit-remaining': remaining,
      'x-ratelimit-reset': reset,
    });
    limiter.feedback({ user: 'ann', bucket: read, status: 200, headers: headers('4') });
    expect((await limiter.peek('ann'))[read]?.remaining).toBe(4);
    limiter.feedback({ user: 'ann', bucket: read, status: 200, headers: headers('1') });
    expect((await limiter.peek('ann'))[read]?.remaining).toBe(1);
  });

  test('slows down when less is left for the tenant than this gateway alone could have spent', async () => {
    const limiter = await settled();
    const headers = {
      'x-ratelimit-limit': '25',
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': String(Math.ceil(Date.now() / 1_000)),
    };
    await take(limiter, 'ann');
    limiter.feedback({ user: 'ann', bucket: read, status: 200, headers });
    expect(refusal(await take(limiter, 'bob')).by).toBe('tenant');
    now += 1_000;
    expect((await take(limiter, 'bob')).admitted).toBe(true);
  });

  test('takes every number from its settings', async () => {
    const limiter = await settled({
      overrides: { [read]: { userPerMinute: 9 } },
      margins: { userRate: 0.5 },
    });
    const { quota } = await take(limiter, 'ann');
    expect(quota).toEqual({ limit: 9, remaining: 8, resetIn: 14 });
  });

  test('a browser that left before its turn leaves nothing behind', async () => {
    const limiter = await settled({ plan: 'free', deadlineMs: 2_500 });
    await take(limiter, 'z');
    const left = new AbortController();
    const waiting = limiter.take({ user: 'ann', bucket: read, signal: left.signal });
    left.abort();
    await expect(waiting).rejects.toThrow(/abort/i);
    expect((await limiter.peek('ann'))[read]?.remaining).toBe(2);
    await expect(limiter.take({ user: 'ann', bucket: read, signal: left.signal })).rejects.toThrow(
      /abort/i,
    );
    expect((await limiter.peek('ann'))[read]?.remaining).toBe(2);
  });
});

describe('a browser that left while its request was let in', () => {
  test('has spent nothing', async () => {
    const limiter = createLimiter({ tenant, plan: 'enterprise' });
    const left = new AbortController();
    const asked = limiter.take({ user: 'ann', bucket: read, signal: left.signal });
    left.abort();
    await expect(asked).rejects.toThrow(/abort/i);
    expect((await limiter.peek('ann'))[read]?.remaining).toBe(5);
  });
});

describe('the limiter of several gateways', () => {
  let server: RedisServer;
  let connections: Redis[] = [];
  let limiters: Limiter[] = [];
  const events: LimiterEvent[] = [];
  const open = (options: Partial<LimiterOptions> = {}): { limiter: Limiter; redis: Redis } => {
    const redis = createRedis({ url: server.url, keyPrefix: '', deadlineMs: 400 }, quiet);
    const limiter = createLimiter(
      {
        tenant,
        plan: 'enterprise',
        deadlineMs: 0,
        observe: (event) => events.push(event),
        ...options,
      },
      redis,
    );
    connections.push(redis);
    limiters.push(limiter);
    return { limiter, redis };
  };
  beforeEach(async () => {
    server = await startRedis();
    events.length = 0;
  });
  afterEach(async () => {
    await Promise.all(limiters.map((limiter) => limiter.close()));
    await Promise.all(connections.map((redis) => redis.close()));
    connections = [];
    limiters = [];
    await server.stop();
  });

  test('is one: what one gateway spends the other has not', async () => {
    const [{ limiter: one }, { limiter: two }] = [open(), open()];
    await begin(one);
    await sleep(300);
    for (let turn = 0; turn < 5; turn++)
      expect((await take(turn % 2 === 0 ? one : two, 'ann')).admitted).toBe(true);
    expect(refusal(await take(one, 'ann')).by).toBe('user');
    expect(refusal(await take(two, 'ann')).by).toBe('user');
  });

  test('lets requests wait for their slot instead of refusing them, and never two for one slot', async () => {
    const waits = { deadlineMs: 2_500, overrides: { [read]: { tenantPerSecond: 20 } } };
    const [{ limiter: one }, { limiter: two }] = [open(waits), open(waits)];
    await begin(one);
    const began = performance.now();
    const verdicts = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        take(index % 2 === 0 ? one : two, `user ${String(index)}`),
      ),
    );
    expect(verdicts.every(({ admitted }) => admitted)).toBe(true);
    // One token at the start and 19.6 a second: the last slot lies 0.95 s ahead.
    expect(performance.now() - began).toBeGreaterThan(850);
  });

  test('a place given up is taken by the next in line on another gateway', async () => {
    const waits = {
      deadlineMs: 1_500,
      overrides: { [read]: { tenantPerSecond: 1 } },
      margins: { tenantRate: 1 },
    };
    const [{ limiter: one }, { limiter: two }] = [open(waits), open(waits)];
    expect((await take(one, 'z')).admitted).toBe(true);
    const left = new AbortController();
    const first = one.take({ user: 'ann', bucket: read, signal: left.signal }).catch(() => 'left');
    await sleep(100);
    expect((await take(two, 'bob')).admitted).toBe(false);
    left.abort();
    expect(await first).toBe('left');
    await sleep(50);
    expect((await take(two, 'carl')).admitted).toBe(true);
  });

  test("a 429 one gateway sees closes the user's bucket on all of them", async () => {
    const [{ limiter: one }, { limiter: two }] = [open(), open()];
    await begin(two);
    one.feedback({ user: 'ann', bucket: write, status: 429, headers: { 'retry-after': '9' } });
    await sleep(100);
    const verdict = refusal(await take(two, 'ann', write));
    expect([verdict.by, verdict.retryAfterSeconds]).toEqual(['user', 9]);
  });

  test('Redis gone: neither open nor shut, a safe share of the limits', async () => {
    const { limiter } = open();
    await begin(limiter);
    const { limiter: newcomer } = open();
    await begin(newcomer);
    await sleep(50);
    await begin(limiter);
    await server.stop();
    const began = performance.now();
    let through = 0;
    let turn = 0;
    while (performance.now() - began < 1_500) {
      if ((await take(limiter, `user ${String(turn++)}`)).admitted) through += 1;
      await sleep(5);
    }
    const seconds = (performance.now() - began) / 1_000;
    expect(through).toBeGreaterThan(3);
    // Two gateways share 24.5 a second x 0.8; a token to begin with.
    expect(through).toBeLessThanOrEqual(1 + (0.8 / 2) * 24.5 * seconds + 1);
    expect(events.some((event) => event.kind === 'admitted' && event.degraded)).toBe(true);
  });

  test('Redis gone after a place was reserved: it counts for nothing, the gateway decides alone', async () => {
    const { limiter, redis } = open({
      deadlineMs: 1_500,
      overrides: { [read]: { tenantPerSecond: 4 } },
    });
    for (const user of ['x', 'y']) await take(limiter, user);
    const pipeline = redis.pipeline();
    const reservation = limiter.reserve({ user: 'ann', bucket: read }, pipeline);
    pipeline.send();
    await sleep(50);
    await server.stop();
    await take(limiter, 'bob');
    const verdict = await limiter.take({
      user: 'ann',
      bucket: read,
      ...(reservation && { reservation }),
    });
    expect(reservation).toBeDefined();
    expect(verdict.admitted).toBe(true);
    // Alone it spends four fifths of the user's five, and this one is spent.
    expect(verdict.quota.remaining).toBe(3);
    reservation?.release();
  });

  test('Redis gone: a user who had spent everything has not got it back', async () => {
    const { limiter } = open();
    await begin(limiter);
    await sleep(300);
    for (let turn = 0; turn < 5; turn++) await take(limiter, 'ann');
    await server.stop();
    expect((await take(limiter, 'ann')).admitted).toBe(false);
  });

  test('Redis back and empty: it is told what was spent before it is asked', async () => {
    const { limiter, redis } = open();
    await begin(limiter);
    await sleep(300);
    for (let turn = 0; turn < 5; turn++) await take(limiter, 'ann');
    await server.stop();
    await take(limiter, 'bob');
    await server.start();
    expect(await redis.opened(60_000)).toBe(true);
    for (let turn = 0; turn < 5; turn++) {
      expect((await take(limiter, 'ann')).admitted).toBe(false);
      await sleep(20);
    }
    const { limiter: other } = open();
    expect((await other.peek('ann'))[read]?.remaining).toBe(0);
  });

  test('Redis silent for a while, then back with its data: what was spent alone is counted', async () => {
    const { limiter } = open();
    await begin(limiter);
    await sleep(300);
    for (let turn = 0; turn < 4; turn++) await take(limiter, 'ann');
    server.freeze();
    await take(limiter, 'bob');
    await sleep(100);
    expect((await take(limiter, 'ann')).admitted).toBe(true);
    server.thaw();
    for (let turn = 0; turn < 20; turn++) {
      await take(limiter, 'eve');
      await sleep(20);
    }
    const { limiter: other } = open();
    expect((await other.peek('ann'))[read]?.remaining).toBe(0);
  });

  test('a flood on an empty bucket is refused without asking Redis', async () => {
    const { limiter, redis } = open();
    await begin(limiter);
    await sleep(300);
    for (let turn = 0; turn < 6; turn++) await take(limiter, 'ann');
    const asked = async (): Promise<number> => {
      const stats = String(await redis.command('INFO', 'commandstats'));
      return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
    };
    const before = await asked();
    for (let turn = 0; turn < 1_000; turn++)
      expect((await take(limiter, 'ann')).admitted).toBe(false);
    expect((await asked()) - before).toBe(0);
  });

  test('data lost while nobody was looking: the first to notice tells what it knows', async () => {
    const { limiter, redis } = open();
    await begin(limiter);
    await sleep(300);
    for (let turn = 0; turn < 5; turn++) await take(limiter, 'ann');
    await redis.command('FLUSHALL');
    expect((await take(limiter, 'bob')).quota.limit).toBe(5);
    const { limiter: other } = open();
    expect((await other.peek('ann'))[read]?.remaining).toBe(0);
  });

  test('what another version wrote is begun anew, and limits hold', async () => {
    const { redis } = open();
    for (const name of [key(`tenant:${read}`), key(`user:${read}:0`)])
      await redis.command('SET', name, '\u007f'.repeat(300));
    const { limiter, redis: second } = open();
    await second.opened(60_000);
    const began = performance.now();
    const all = await Promise.all(
      Array.from({ length: 200 }, (_, user) => take(limiter, String(user))),
    );
    // One, and what comes in while these are asked, at twenty-five a second; a bucket that was taken for full would give twenty.
    const seconds = (performance.now() - began) / 1_000;
    expect(all.filter(({ admitted }) => admitted).length).toBeLessThan(15 + 25 * seconds);
    expect(all[0]?.quota.limit).toBe(5);
  });

  test('a user is remembered until every bucket would be full again', async () => {
    const { limiter, redis } = open();
    await begin(limiter);
    await sleep(300);
    for (let turn = 0; turn < 5; turn++) await take(limiter, 'ann');
    // Five a minute, a twentieth less: 63 seconds, and as long again as Auth0 could close the bucket for.
    expect(Number(await redis.command('PTTL', key(`user:${read}:ann`)))).toBeGreaterThan(
      (5 / 0.95) * 12_000 + 120_000,
    );
  });

  test('counts the gateways that share its Redis, and those that left no more', async () => {
    const [{ limiter: one }, { redis: second, limiter: two }] = [open(), open()];
    await Promise.all([begin(one), begin(two)]);
    await expect(second.command('ZCARD', key('instances'))).resolves.toBe(2);
    await one.close();
    await expect(second.command('ZCARD', key('instances'))).resolves.toBe(1);
  });

  test('keeps its keys in one slot, and no user in clear beyond the key it was given', async () => {
    const { limiter, redis } = open();
    await begin(limiter);
    await sleep(100);
    await take(limiter, 'k3y');
    const keys = (await redis.command('KEYS', '*')) as string[];
    expect(keys.length).toBeGreaterThan(1);
    expect(keys.every((name) => name.startsWith(key('')))).toBe(true);
  });
});
