import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createBudget } from '../../../../src/gateway/limiter/budget.ts';
import type { Budget, BudgetEvent, BudgetOptions } from '../../../../src/gateway/limiter/budget.ts';
import type { Verdict } from '../../../../src/gateway/limiter/verdict.ts';
import { createRedis } from '../../../../src/gateway/redis/client.ts';
import type { Redis } from '../../../../src/gateway/redis/client.ts';
import { startRedis } from '../../../helpers/redis.ts';
import type { RedisServer } from '../../../helpers/redis.ts';

const quiet = { info: () => undefined, warn: () => undefined };
const take = (budget: Budget, user: string, cost: 'read' | 'write' | 'filtered' = 'read'): Promise<Verdict> => budget.take({ user, cost });
const refusal = (verdict: Verdict) => {
  if (verdict.admitted) throw new Error('expected a refusal');
  return verdict;
};

describe('the budget of one process', () => {
  let now = 0;
  const make = (options: Partial<BudgetOptions> = {}) => createBudget({ plan: 'enterprise', deadlineMs: 0, now: () => now, ...options });
  beforeEach(() => {
    now = 5_000;
  });
  const settled = async (options: Partial<BudgetOptions> = {}) => {
    const budget = make(options);
    now += 1_000;
    return Promise.resolve(budget);
  };

  test("tells the user's own numbers, never the tenant's", async () => {
    const budget = await settled();
    const verdict = await take(budget, 'ann');
    expect(verdict.quota).toEqual({
      read: { limit: 5, remaining: 4, resetSeconds: 13, windowSeconds: 60 },
      write: { limit: 5, remaining: 5, resetSeconds: 0, windowSeconds: 60 },
      filtered: { limit: 20, remaining: 20, resetSeconds: 0, windowSeconds: 60 },
    });
    expect(budget.headers(verdict.quota, 'read')).toEqual({ RateLimit: '"read";r=4;t=13', 'RateLimit-Policy': '"read";q=5;w=60' });
  });

  test('waiting exactly as long as told succeeds, one second less does not', async () => {
    const budget = await settled({ plan: 'free' });
    now += 2_000;
    await take(budget, 'ann');
    now += 1_000;
    await take(budget, 'ann');
    const { by, retryAfterSeconds, quota } = refusal(await take(budget, 'ann'));
    expect(by).toBe('user');
    expect(quota.read).toMatchObject({ remaining: 0, resetSeconds: retryAfterSeconds });
    now += (retryAfterSeconds - 1) * 1_000;
    expect((await take(budget, 'ann')).admitted).toBe(false);
    now += 1_000;
    expect((await take(budget, 'ann')).admitted).toBe(true);
  });

  test('asks nobody again while a bucket is known to be empty, and counts the wait down', async () => {
    const budget = await settled();
    for (let turn = 0; turn < 5; turn++) await take(budget, 'ann');
    const first = refusal(await take(budget, 'ann'));
    now += 4_000;
    expect(refusal(await take(budget, 'ann')).retryAfterSeconds).toBe(first.retryAfterSeconds - 4);
    expect((await take(budget, 'bob')).admitted).toBe(true);
  });

  test('gives a place back once, however often it is asked to', async () => {
    const budget = await settled();
    const verdicts = [];
    for (let turn = 0; turn < 5; turn++) verdicts.push(await take(budget, 'ann'));
    expect((await take(budget, 'ann')).admitted).toBe(false);
    const last = verdicts.at(-1);
    if (last?.admitted) {
      last.giveBack();
      last.giveBack();
    }
    expect((await take(budget, 'ann')).admitted).toBe(true);
    expect((await take(budget, 'ann')).admitted).toBe(false);
  });

  test("is closed for one user by that user's 429, and for all by the tenant's", async () => {
    const budget = await settled();
    const limits = { 'x-ratelimit-limit': '5', 'x-ratelimit-remaining': '0' };
    budget.feedback({ user: 'ann', cost: 'read', status: 429, headers: { ...limits, 'retry-after': '7' } });
    const { by, retryAfterSeconds } = refusal(await take(budget, 'ann'));
    expect([by, retryAfterSeconds]).toEqual(['user', 7]);
    expect((await take(budget, 'bob')).admitted).toBe(true);
    budget.feedback({ user: 'bob', cost: 'read', status: 429, headers: { 'retry-after': '1', 'x-auth0-error-kind': 'global-rate-limit' } });
    expect(refusal(await take(budget, 'eve')).by).toBe('tenant');
  });

  test('learns what a user has spent in another application, and ignores what it knew', async () => {
    const budget = await settled();
    await take(budget, 'ann');
    const reset = String(Math.ceil(Date.now() / 1_000) + 50);
    const headers = (remaining: string) => ({ 'x-ratelimit-limit': '5', 'x-ratelimit-remaining': remaining, 'x-ratelimit-reset': reset });
    budget.feedback({ user: 'ann', cost: 'read', status: 200, headers: headers('4') });
    expect((await budget.peek('ann')).read.remaining).toBe(4);
    budget.feedback({ user: 'ann', cost: 'read', status: 200, headers: headers('1') });
    expect((await budget.peek('ann')).read.remaining).toBe(1);
  });

  test('slows down when less is left for the tenant than this gateway alone could have spent', async () => {
    const budget = await settled();
    const headers = { 'x-ratelimit-limit': '25', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(Math.ceil(Date.now() / 1_000)) };
    await take(budget, 'ann');
    budget.feedback({ user: 'ann', cost: 'read', status: 200, headers });
    expect(refusal(await take(budget, 'bob')).by).toBe('tenant');
    now += 1_000;
    expect((await take(budget, 'bob')).admitted).toBe(true);
  });

  test('takes every number from its settings', async () => {
    const budget = await settled({ overrides: { userPerMinute: { read: 9 } }, margins: { userRate: 0.5 } });
    const { quota } = await take(budget, 'ann');
    expect(quota.read).toEqual({ limit: 9, remaining: 8, resetSeconds: 14, windowSeconds: 60 });
  });

  test('a browser that left before its turn leaves nothing behind', async () => {
    const budget = await settled({ plan: 'free', deadlineMs: 2_500 });
    await take(budget, 'z');
    const left = new AbortController();
    const waiting = budget.take({ user: 'ann', cost: 'read', signal: left.signal });
    left.abort();
    await expect(waiting).rejects.toThrow(/abort/i);
    expect((await budget.peek('ann')).read.remaining).toBe(2);
    await expect(budget.take({ user: 'ann', cost: 'read', signal: left.signal })).rejects.toThrow(/abort/i);
    expect((await budget.peek('ann')).read.remaining).toBe(2);
  });
});

describe('a browser that left while its request was let in', () => {
  test('has spent nothing', async () => {
    const budget = createBudget({ plan: 'enterprise' });
    const left = new AbortController();
    const asked = budget.take({ user: 'ann', cost: 'read', signal: left.signal });
    left.abort();
    await expect(asked).rejects.toThrow(/abort/i);
    expect((await budget.peek('ann')).read.remaining).toBe(5);
  });
});

describe('the budget of several gateways', () => {
  let server: RedisServer;
  let connections: Redis[] = [];
  let budgets: Budget[] = [];
  const events: BudgetEvent[] = [];
  const open = (options: Partial<BudgetOptions> = {}): { budget: Budget; redis: Redis } => {
    const redis = createRedis({ url: server.url, deadlineMs: 400 }, quiet);
    const budget = createBudget({ plan: 'enterprise', deadlineMs: 0, observe: (event) => events.push(event), ...options }, redis);
    connections.push(redis);
    budgets.push(budget);
    return { budget, redis };
  };
  beforeEach(async () => {
    server = await startRedis();
    events.length = 0;
  });
  afterEach(async () => {
    await Promise.all(budgets.map((budget) => budget.close()));
    await Promise.all(connections.map((redis) => redis.close()));
    connections = [];
    budgets = [];
    await server.stop();
  });

  test('is one: what one gateway spends the other has not', async () => {
    const [{ budget: one }, { budget: two }] = [open(), open()];
    await one.peek('ann');
    await sleep(300);
    for (let turn = 0; turn < 5; turn++) expect((await take(turn % 2 === 0 ? one : two, 'ann')).admitted).toBe(true);
    expect(refusal(await take(one, 'ann')).by).toBe('user');
    expect(refusal(await take(two, 'ann')).by).toBe('user');
  });

  test('lets requests wait for their slot instead of refusing them, and never two for one slot', async () => {
    const waits = { deadlineMs: 2_500, overrides: { tenantPerSecond: { read: 20 } } };
    const [{ budget: one }, { budget: two }] = [open(waits), open(waits)];
    await one.peek('ann');
    const began = performance.now();
    const verdicts = await Promise.all(
      Array.from({ length: 20 }, (_, index) => take(index % 2 === 0 ? one : two, `user ${String(index)}`)),
    );
    expect(verdicts.every(({ admitted }) => admitted)).toBe(true);
    // One token at the start and 19.6 a second: the last slot lies 0.95 s ahead.
    expect(performance.now() - began).toBeGreaterThan(850);
  });

  test('a place given up is taken by the next in line on another gateway', async () => {
    const waits = { deadlineMs: 1_500, overrides: { tenantPerSecond: { read: 1 } }, margins: { tenantRate: 1 } };
    const [{ budget: one }, { budget: two }] = [open(waits), open(waits)];
    expect((await take(one, 'z')).admitted).toBe(true);
    const left = new AbortController();
    const first = one.take({ user: 'ann', cost: 'read', signal: left.signal }).catch(() => 'left');
    await sleep(100);
    expect((await take(two, 'bob')).admitted).toBe(false);
    left.abort();
    expect(await first).toBe('left');
    await sleep(50);
    expect((await take(two, 'carl')).admitted).toBe(true);
  });

  test("a 429 one gateway sees closes the user's bucket on all of them", async () => {
    const [{ budget: one }, { budget: two }] = [open(), open()];
    await two.peek('ann');
    one.feedback({ user: 'ann', cost: 'write', status: 429, headers: { 'retry-after': '9' } });
    await sleep(100);
    const verdict = refusal(await take(two, 'ann', 'write'));
    expect([verdict.by, verdict.retryAfterSeconds]).toEqual(['user', 9]);
  });

  test('Redis gone: neither open nor shut, a safe share of the limits', async () => {
    const { budget } = open();
    await budget.peek('ann');
    const { budget: newcomer } = open();
    await newcomer.peek('ann');
    await sleep(50);
    await budget.peek('ann');
    await server.stop();
    const began = performance.now();
    let through = 0;
    let turn = 0;
    while (performance.now() - began < 1_500) {
      if ((await take(budget, `user ${String(turn++)}`)).admitted) through += 1;
      await sleep(5);
    }
    const seconds = (performance.now() - began) / 1_000;
    expect(through).toBeGreaterThan(3);
    // Two gateways share 24.5 a second x 0.8; a token to begin with.
    expect(through).toBeLessThanOrEqual(1 + (0.8 / 2) * 24.5 * seconds + 1);
    expect(events.some((event) => event.kind === 'admitted' && event.alone)).toBe(true);
  });

  test('Redis gone after a place was asked for ahead: it counts for nothing, the gateway decides alone', async () => {
    const { budget, redis } = open({ deadlineMs: 1_500, overrides: { tenantPerSecond: { read: 4 } } });
    for (const user of ['x', 'y']) await take(budget, user);
    const chain = redis.pipeline();
    const ahead = budget.ahead({ user: 'ann', cost: 'read' }, chain);
    chain.send();
    await sleep(50);
    await server.stop();
    await take(budget, 'bob');
    const verdict = await budget.take({ user: 'ann', cost: 'read', ...(ahead && { ahead }) });
    expect(ahead).toBeDefined();
    expect(verdict.admitted).toBe(true);
    // Alone it spends four fifths of the user's five, and this one is spent.
    expect(verdict.quota.read.remaining).toBe(3);
    ahead?.release();
  });

  test('Redis gone: a user who had spent everything has not got it back', async () => {
    const { budget } = open();
    await budget.peek('ann');
    await sleep(300);
    for (let turn = 0; turn < 5; turn++) await take(budget, 'ann');
    await server.stop();
    expect((await take(budget, 'ann')).admitted).toBe(false);
  });

  test('Redis back and empty: it is told what was spent before it is asked', async () => {
    const { budget, redis } = open();
    await budget.peek('ann');
    await sleep(300);
    for (let turn = 0; turn < 5; turn++) await take(budget, 'ann');
    await server.stop();
    await take(budget, 'bob');
    await server.start();
    expect(await redis.opened(5_000)).toBe(true);
    for (let turn = 0; turn < 5; turn++) {
      expect((await take(budget, 'ann')).admitted).toBe(false);
      await sleep(20);
    }
    const { budget: other } = open();
    expect((await other.peek('ann')).read.remaining).toBe(0);
  });

  test('Redis silent for a while, then back with its data: what was spent alone is counted', async () => {
    const { budget } = open();
    await budget.peek('ann');
    await sleep(300);
    for (let turn = 0; turn < 4; turn++) await take(budget, 'ann');
    server.freeze();
    await take(budget, 'bob');
    await sleep(100);
    expect((await take(budget, 'ann')).admitted).toBe(true);
    server.thaw();
    for (let turn = 0; turn < 20; turn++) {
      await take(budget, 'eve');
      await sleep(20);
    }
    const { budget: other } = open();
    expect((await other.peek('ann')).read.remaining).toBe(0);
  });

  test('a flood on an empty bucket is refused without asking Redis', async () => {
    const { budget } = open();
    await budget.peek('ann');
    await sleep(300);
    for (let turn = 0; turn < 6; turn++) await take(budget, 'ann');
    server.freeze();
    const began = performance.now();
    for (let turn = 0; turn < 1_000; turn++) expect((await take(budget, 'ann')).admitted).toBe(false);
    expect(performance.now() - began).toBeLessThan(400);
    server.thaw();
  });

  test('data lost while nobody was looking: the first to notice tells what it knows', async () => {
    const { budget, redis } = open();
    await budget.peek('ann');
    await sleep(300);
    for (let turn = 0; turn < 5; turn++) await take(budget, 'ann');
    await redis.command('FLUSHALL');
    expect((await take(budget, 'bob')).quota.read.limit).toBe(5);
    const { budget: other } = open();
    expect((await other.peek('ann')).read.remaining).toBe(0);
  });

  test('what another version wrote is begun anew, and limits hold', async () => {
    const { redis } = open();
    for (const key of ['{budget}:tenant', '{budget}:user:0']) await redis.command('SET', key, '\u007f'.repeat(300));
    const { budget, redis: second } = open();
    await second.opened(1_000);
    const all = await Promise.all(Array.from({ length: 200 }, (_, user) => take(budget, String(user))));
    // One, and what comes in while these are asked, at twenty-five a second; a bucket that was taken for full would give twenty.
    expect(all.filter(({ admitted }) => admitted).length).toBeLessThan(15);
    expect(all[0]?.quota.read.limit).toBe(5);
  });

  test('a user is remembered until every bucket would be full again', async () => {
    const { budget, redis } = open();
    await budget.peek('ann');
    await sleep(300);
    for (let turn = 0; turn < 5; turn++) await take(budget, 'ann');
    // Five a minute, a twentieth less: 63 seconds, and as long again as Auth0 could close the bucket for.
    expect(Number(await redis.command('PTTL', '{budget}:user:ann'))).toBeGreaterThan((5 / 0.95) * 12_000 + 120_000);
  });

  test('counts the gateways that share its Redis, and those that left no more', async () => {
    const [{ budget: one }, { redis: second, budget: two }] = [open(), open()];
    await Promise.all([one.peek('a'), two.peek('a')]);
    await expect(second.command('ZCARD', '{budget}:gateways')).resolves.toBe(2);
    await one.close();
    await expect(second.command('ZCARD', '{budget}:gateways')).resolves.toBe(1);
  });

  test('keeps its keys in one slot, and no user in clear beyond the key it was given', async () => {
    const { budget, redis } = open();
    await budget.peek('k3y');
    await sleep(100);
    await take(budget, 'k3y');
    const keys = (await redis.command('KEYS', '*')) as string[];
    expect(keys.length).toBeGreaterThan(1);
    expect(keys.every((key) => key.startsWith('mab:{budget}:'))).toBe(true);
  });
});
