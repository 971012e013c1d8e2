import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { BucketName } from '../../../../config/plans.ts';
import type {
  Ask,
  Decision,
  LimiterStore,
  QueueTicket,
  UpstreamSignal,
} from '../../../../src/gateway/limiter/store.ts';
import { perBucket, type Limits } from '../../../../src/gateway/limiter/limits.ts';
import { createMemoryLimiterStore } from '../../../../src/gateway/limiter/memory-store.ts';
import { createRedisLimiterStore } from '../../../../src/gateway/limiter/redis-store.ts';
import { createRedis } from '../../../../src/gateway/redis/client.ts';
import type { Redis } from '../../../../src/gateway/redis/client.ts';
import { withClock } from '../../../helpers/redis-clock.ts';
import { startRedis } from '../../../helpers/redis.ts';
import type { RedisServer } from '../../../helpers/redis.ts';

interface Bench {
  store: LimiterStore;
  /** Lets that much time pass on the store's clock. */
  pass(ms: number): Promise<void>;
}

// 20 tokens a second for a user, 10 for the tenant.
const one = { tenant: { perMs: 0.01, burst: 4 }, user: { perMs: 0.02, burst: 3 }, reserve: 1 };
const read = 'authentication_methods_read';
const write = 'authentication_methods_write';
const filtered = 'authentication_methods_read_filtered';
const limits: Limits = {
  ...perBucket(() => one),
  [filtered]: { ...one, tenant: { perMs: 0.01, burst: 1 } },
};
// Changes nothing, and begins the tenant's state of each bucket.
const touch = async (store: LimiterStore): Promise<void> => {
  for (const bucket of [read, write, filtered, 'factors_read'] as const)
    await store.adjust({ kind: 'user-low', bucket, user: 'nobody', remaining: 99 });
};
const openRedisStore = (redis: Redis): LimiterStore =>
  createRedisLimiterStore({
    redis,
    limits,
    tenant: 'https://tenant.example/',
    onForgotten: () => Promise.resolve(),
    onCount: () => undefined,
  });
const ask = (user: string, more: Partial<Ask> = {}): Ask => ({
  user,
  bucket: read,
  offset: 0,
  maxWaitMs: 0,
  ...more,
});
const ticketOf = (decision: Decision): QueueTicket => {
  if (decision.kind !== 'wait')
    throw new Error(`expected a place in the queue, got ${decision.kind}`);
  return decision.ticket;
};

describe.each(['memory', 'redis'] as const)('the %s store', (kind) => {
  let server: RedisServer;
  let redis: Redis;
  let bench: Bench;

  beforeAll(async () => {
    if (kind === 'memory') return;
    server = await startRedis();
    redis = createRedis(
      { url: server.url, keyPrefix: '', deadlineMs: 30_000 },
      { info: () => undefined, warn: () => undefined },
    );
  });
  afterAll(async () => {
    if (kind === 'memory') return;
    await redis.close();
    await server.stop();
  });

  const make = async (): Promise<Bench> => {
    let now = 1_000_000;
    if (kind === 'memory') {
      const store = createMemoryLimiterStore(limits, () => now);
      return {
        store,
        pass: (ms) => {
          now += ms;
          return Promise.resolve();
        },
      };
    }
    await redis.command('FLUSHALL');
    const clock = withClock(redis);
    await clock.set(now);
    return {
      store: openRedisStore(clock.redis),
      pass: (ms) => clock.set((now += ms)),
    };
  };

  beforeEach(async () => {
    bench = await make();
    // A fresh tenant's bucket is not full: what was spent before is unknown.
    await touch(bench.store);
    await bench.pass(450);
  });

  test("takes from the user's and the tenant's bucket together", async () => {
    const first = await bench.store.ask(ask('ann'));
    expect(first).toMatchObject({ kind: 'taken' });
    expect(Math.floor(first.level)).toBe(2);
    expect((await bench.store.peek('ann'))[write]).toBe(3);
  });

  test("refuses beyond the user's burst, says when the next one goes, and spends nothing on the refusal", async () => {
    for (let turn = 0; turn < 3; turn++) await bench.store.ask(ask('ann'));
    const refused = await bench.store.ask(ask('ann'));
    expect(refused).toMatchObject({ kind: 'refused', by: 'user' });
    if (refused.kind !== 'refused') return;
    expect(refused.retryMs).toBeLessThanOrEqual(50);
    await bench.pass(refused.retryMs);
    expect(await bench.store.ask(ask('ann'))).toMatchObject({ kind: 'taken' });
  });

  test('tells the later of the two waits when both buckets are empty', async () => {
    const writes = { bucket: write } as const;
    for (let turn = 0; turn < 3; turn++) await bench.store.ask(ask('ann', writes));
    await bench.store.ask(ask('bob', writes));
    const refused = await bench.store.ask(ask('ann', writes));
    // A token of ann's takes 50 ms, one of the tenant's 100.
    expect(refused).toMatchObject({ kind: 'refused', by: 'user' });
    if (refused.kind !== 'refused') return;
    expect(refused.retryMs).toBeGreaterThan(99);
    await bench.pass(refused.retryMs);
    expect(await bench.store.ask(ask('ann', writes))).toMatchObject({ kind: 'taken' });
  });

  test("refuses beyond the tenant's burst and returns the user's token", async () => {
    for (const user of ['a', 'b', 'c', 'd'])
      expect(await bench.store.ask(ask(user))).toMatchObject({ kind: 'taken' });
    const refused = await bench.store.ask(ask('eve'));
    expect(refused).toMatchObject({ kind: 'refused', by: 'tenant' });
    expect(Math.floor(refused.level)).toBe(3);
    if (refused.kind !== 'refused') return;
    await bench.pass(refused.retryMs);
    expect(await bench.store.ask(ask('eve'))).toMatchObject({ kind: 'taken' });
  });

  test('keeps the buckets apart', async () => {
    for (const user of ['a', 'b', 'c', 'd']) await bench.store.ask(ask(user));
    expect(await bench.store.ask(ask('a', { bucket: write }))).toMatchObject({ kind: 'taken' });
  });

  test('gives a place in the queue when the slot is near enough, and honours it then', async () => {
    for (const user of ['a', 'b', 'c', 'd']) await bench.store.ask(ask(user));
    const decision = await bench.store.ask(ask('eve', { maxWaitMs: 1_000 }));
    const ticket = ticketOf(decision);
    if (decision.kind === 'wait') await bench.pass(decision.waitMs);
    expect(await bench.store.claim(ticket)).toMatchObject({ kind: 'taken' });
  });

  test("lets a user's own next token be waited for", async () => {
    for (let turn = 0; turn < 3; turn++) await bench.store.ask(ask('ann'));
    const decision = await bench.store.ask(ask('ann', { maxWaitMs: 1_000 }));
    const ticket = ticketOf(decision);
    if (decision.kind === 'wait') await bench.pass(decision.waitMs);
    expect(await bench.store.claim(ticket)).toMatchObject({ kind: 'taken' });
  });

  test('lets a modest user go before the later requests of a greedy one', async () => {
    await bench.store.ask(ask('greedy', { bucket: filtered }));
    const greedy = [];
    for (let turn = 0; turn < 2; turn++)
      greedy.push(
        ticketOf(await bench.store.ask(ask('greedy', { bucket: filtered, maxWaitMs: 2_000 }))),
      );
    const modest = await bench.store.ask(ask('modest', { bucket: filtered, maxWaitMs: 2_000 }));
    expect(modest.kind).toBe('wait');
    if (modest.kind !== 'wait') return;
    // One token every 100 ms: the greedy one keeps the first slot, for it came first; the modest one is due at the second, not the third.
    const [first = modest.ticket, second = modest.ticket] = greedy;
    expect(Math.round(modest.waitMs)).toBe(200);
    await bench.pass(100);
    expect((await bench.store.claim(first)).kind).toBe('taken');
    await bench.pass(100);
    expect((await bench.store.claim(second)).kind).toBe('wait');
    expect(await bench.store.claim(modest.ticket)).toMatchObject({ kind: 'taken' });
  });

  test('holds nothing against a user for what they spent while nobody waited', async () => {
    for (let turn = 0; turn < 3; turn++) {
      await bench.store.ask(ask('regular', { bucket: filtered }));
      await bench.pass(100);
    }
    await bench.store.ask(ask('z', { bucket: filtered }));
    const regular = ticketOf(
      await bench.store.ask(ask('regular', { bucket: filtered, maxWaitMs: 2_000 })),
    );
    const fresh = ticketOf(
      await bench.store.ask(ask('fresh', { bucket: filtered, maxWaitMs: 2_000 })),
    );
    await bench.pass(100);
    expect((await bench.store.claim(fresh)).kind).toBe('wait');
    expect((await bench.store.claim(regular)).kind).toBe('taken');
  });

  test('lets whoever has priority overtake, and only by the turns it is worth', async () => {
    const wish = { bucket: filtered, maxWaitMs: 3_000 } as const;
    await bench.store.ask(ask('z', wish));
    const late = await bench.store.ask(ask('a', { ...wish, offset: 4 }));
    const usual = await bench.store.ask(ask('b', wish));
    const urgent = await bench.store.ask(ask('c', { ...wish, offset: -4 }));
    const waits = [urgent, usual, late].map((decision) =>
      decision.kind === 'wait' ? decision.waitMs : 0,
    );
    expect(waits[0]).toBeLessThan(101);
    expect(waits[1]).toBeLessThan(101);
    await bench.pass(100);
    expect((await bench.store.claim(ticketOf(late))).kind).toBe('wait');
    expect((await bench.store.claim(ticketOf(usual))).kind).toBe('wait');
    expect((await bench.store.claim(ticketOf(urgent))).kind).toBe('taken');
  });

  test('closes the gap when somebody leaves the queue, and gives their token back', async () => {
    await bench.store.ask(ask('z', { bucket: filtered }));
    const first = ticketOf(await bench.store.ask(ask('a', { bucket: filtered, maxWaitMs: 2_000 })));
    const second = await bench.store.ask(ask('b', { bucket: filtered, maxWaitMs: 2_000 }));
    await bench.store.cancel(first);
    expect(Math.floor((await bench.store.peek('a'))[filtered])).toBe(3);
    await bench.pass(101);
    expect(await bench.store.claim(ticketOf(second))).toMatchObject({ kind: 'taken' });
  });

  test('does not wait for those who never come back: their place lapses', async () => {
    await bench.store.ask(ask('z', { bucket: filtered }));
    await bench.store.ask(ask('gone', { bucket: filtered, maxWaitMs: 150 }));
    await bench.pass(450);
    expect(await bench.store.ask(ask('b', { bucket: filtered }))).toMatchObject({ kind: 'taken' });
  });

  test('gives back what was never sent', async () => {
    for (const user of ['a', 'b', 'c', 'd']) await bench.store.ask(ask(user));
    await bench.store.refund('d', read);
    expect(await bench.store.ask(ask('d'))).toMatchObject({ kind: 'taken' });
  });

  test('never holds more than a burst, however much is given back', async () => {
    for (let turn = 0; turn < 10; turn++) await bench.store.refund('ann', read);
    expect((await bench.store.peek('ann'))[read]).toBeLessThanOrEqual(3);
  });

  test('closes one user until the API takes requests again, and nobody else', async () => {
    await bench.store.adjust({ kind: 'user-limited', bucket: read, user: 'ann', retryMs: 300 });
    const refused = await bench.store.ask(ask('ann'));
    expect(refused).toMatchObject({ kind: 'refused', by: 'user' });
    if (refused.kind === 'refused') expect(refused.retryMs).toBeGreaterThan(299);
    expect(await bench.store.ask(ask('bob'))).toMatchObject({ kind: 'taken' });
    await bench.pass(301);
    expect(await bench.store.ask(ask('ann'))).toMatchObject({ kind: 'taken' });
  });

  test('slows everybody down after a 429 for the tenant, and recovers', async () => {
    await bench.store.adjust({ kind: 'tenant-limited', bucket: read, retryMs: 200 });
    const refused = await bench.store.ask(ask('ann'));
    expect(refused).toMatchObject({ kind: 'refused', by: 'tenant' });
    // 200 ms closed, then 100 ms for a token at the full rate, 143 at seven tenths of it.
    if (refused.kind === 'refused') expect(refused.retryMs).toBeGreaterThan(330);
    await bench.pass(360);
    expect(await bench.store.ask(ask('ann'))).toMatchObject({ kind: 'taken' });
  });

  test('follows what others left for the tenant and for a user', async () => {
    await bench.store.adjust({ kind: 'tenant-low', bucket: write, remaining: 0 });
    expect(await bench.store.ask(ask('ann', { bucket: write }))).toMatchObject({
      kind: 'refused',
      by: 'tenant',
    });
    await bench.store.adjust({ kind: 'user-low', bucket: read, user: 'ann', remaining: 0 });
    expect(await bench.store.ask(ask('ann'))).toMatchObject({ kind: 'refused', by: 'user' });
  });

  test('takes over what was known of a user elsewhere, never raising a level', async () => {
    for (const [bucket, level] of [
      [read, 0.5],
      [write, 99],
      [filtered, 1],
    ] as const)
      await bench.store.seed('ann', bucket, level);
    const levels = await bench.store.peek('ann');
    expect(
      [read, write, filtered].map((bucket) => Math.floor(levels[bucket as BucketName])),
    ).toEqual([0, 3, 1]);
  });

  test('agrees under load: never more is taken than the bucket could hold and gain', async () => {
    const decisions = await Promise.all(
      Array.from({ length: 60 }, (_, index) => bench.store.ask(ask(`user ${String(index)}`))),
    );
    expect(decisions.filter((decision) => decision.kind === 'taken')).toHaveLength(4);
  });
});

describe('the two stores', () => {
  let server: RedisServer;
  let redis: Redis;
  beforeAll(async () => {
    server = await startRedis();
    redis = createRedis(
      { url: server.url, keyPrefix: '', deadlineMs: 30_000 },
      { info: () => undefined, warn: () => undefined },
    );
  });
  afterAll(async () => {
    await redis.close();
    await server.stop();
  });

  const bucket = fc.constantFrom<BucketName>(read, write, filtered, 'factors_read');
  const user = fc.constantFrom('ann', 'bob', 'eve');
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('ask'),
        user,
        bucket,
        offset: fc.constantFrom(-4, 0, 4),
        maxWaitMs: fc.constantFrom(0, 90, 700),
      }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('claim'), index: fc.nat(20) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel'), index: fc.nat(20) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('refund'), user, bucket }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('adjust'),
        user,
        bucket,
        kind: fc.nat(4),
        amount: fc.nat(300),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('pass'), ms: fc.nat(250) }) },
  );

  test('decide alike, whatever happens in whatever order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step as fc.Arbitrary<Step>, { maxLength: 60 }), async (steps) => {
        await redis.command('FLUSHALL');
        const clock = withClock(redis);
        let now = 1_000_000;
        await clock.set(now);
        const pair = [createMemoryLimiterStore(limits, () => now), openRedisStore(clock.redis)];
        await Promise.all(pair.map(touch));
        const tickets: QueueTicket[][] = [[], []];
        for (const each of steps) {
          if (each.do === 'pass') await clock.set((now += each.ms));
          const seen = [];
          for (const [side, store] of pair.entries())
            seen.push(await play(store, each, tickets[side] ?? []));
          expect(seen[0]).toEqual(seen[1]);
        }
      }),
      { numRuns: 60 },
    );
  });
});

type Step = {
  do: string;
  user: string;
  bucket: BucketName;
  offset: number;
  maxWaitMs: number;
  index: number;
  kind: number;
  amount: number;
  ms: number;
};

// Does one thing and tells what a gateway would see of it, times rounded to a tenth of a millisecond.
async function play(store: LimiterStore, each: Step, tickets: QueueTicket[]): Promise<unknown> {
  const { user, bucket } = each;
  const ticket = tickets.length > 0 ? tickets[each.index % tickets.length] : undefined;
  const round = (value: number) => Math.round(value * 10) / 10;
  const told = (decision: Decision) => {
    if (decision.kind === 'wait' && !tickets.includes(decision.ticket))
      tickets.push(decision.ticket);
    const ms =
      decision.kind === 'wait'
        ? decision.waitMs
        : decision.kind === 'refused'
          ? decision.retryMs
          : 0;
    return [
      decision.kind,
      decision.kind === 'refused' ? decision.by : '',
      round(ms),
      round(decision.level),
    ];
  };
  if (each.do === 'ask')
    return told(await store.ask({ user, bucket, offset: each.offset, maxWaitMs: each.maxWaitMs }));
  if (each.do === 'refund') return store.refund(user, bucket);
  if (each.do === 'adjust') return store.adjust(signalOf(each));
  if (!ticket) return undefined;
  tickets.splice(tickets.indexOf(ticket), 1);
  if (each.do === 'claim') return told(await store.claim(ticket));
  if (each.do === 'cancel') return store.cancel(ticket);
  tickets.push(ticket);
  return undefined;
}

function signalOf({ user, bucket, kind, amount }: Step): UpstreamSignal {
  if (kind === 0) return { kind: 'tenant-limited', bucket, retryMs: amount };
  if (kind === 1) return { kind: 'user-limited', bucket, user, retryMs: amount };
  if (kind === 2) return { kind: 'tenant-low', bucket, remaining: amount % 4 };
  if (kind === 3) return { kind: 'user-low', bucket, user, remaining: amount % 4 };
  return { kind: 'user-late', bucket, user, underWay: 1 + (amount % 3) };
}

describe('the store over time', () => {
  const arrivals = fc.array(
    fc.record({
      gapMs: fc.integer({ min: 0, max: 400 }),
      user: fc.constantFrom('a', 'b', 'c'),
      bucket: fc.constantFrom<BucketName>(read, write),
    }),
    { maxLength: 200 },
  );

  test('admits no more in any stretch of time than burst plus rate, for the tenant and for each user', async () => {
    await fc.assert(
      fc.asyncProperty(arrivals, async (list) => {
        let now = 0;
        const store = createMemoryLimiterStore(limits, () => now);
        const taken: { at: number; user: string; bucket: string }[] = [];
        for (const { gapMs, user, bucket } of list) {
          now += gapMs;
          const decision = await store.ask(ask(user, { bucket }));
          if (decision.kind === 'taken') taken.push({ at: now, user, bucket });
        }
        for (const bucket of [read, write]) {
          for (const who of [undefined, 'a', 'b', 'c']) {
            const times = taken
              .filter((each) => each.bucket === bucket && (who === undefined || each.user === who))
              .map(({ at }) => at);
            const { perMs, burst } = who === undefined ? one.tenant : one.user;
            times.forEach((from, first) => {
              times.slice(first).forEach((to, more) => {
                expect(more + 1).toBeLessThanOrEqual(burst + (to - from) * perMs + 1e-6);
              });
            });
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test('tells the true wait, also when both buckets are empty: after it the request goes, a millisecond earlier it would not have', async () => {
    await fc.assert(
      fc.asyncProperty(arrivals, async (list) => {
        let now = 0;
        let shift = 0;
        const store = createMemoryLimiterStore(limits, () => now + shift);
        for (const { gapMs, user } of list) {
          now += gapMs;
          const decision = await store.ask(ask(user));
          if (decision.kind !== 'refused' || decision.retryMs < 2) continue;
          shift += decision.retryMs - 1;
          expect(await store.ask(ask(user))).toMatchObject({ kind: 'refused' });
          shift += 1.01;
          expect(await store.ask(ask(user))).toMatchObject({ kind: 'taken' });
        }
      }),
      { numRuns: 200 },
    );
  });
});
