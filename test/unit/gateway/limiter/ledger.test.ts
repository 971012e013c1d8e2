import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Answer, Ask, Ledger, Lesson, Ticket } from '../../../../src/gateway/limiter/ledger.ts';
import type { Limits } from '../../../../src/gateway/limiter/limits.ts';
import { createMemoryLedger } from '../../../../src/gateway/limiter/memory-ledger.ts';
import { createRedisLedger } from '../../../../src/gateway/limiter/redis-ledger.ts';
import { createRedis } from '../../../../src/gateway/redis/client.ts';
import type { Redis } from '../../../../src/gateway/redis/client.ts';
import { withClock } from '../../../helpers/redis-clock.ts';
import { startRedis } from '../../../helpers/redis.ts';
import type { RedisServer } from '../../../helpers/redis.ts';

interface Bench {
  ledger: Ledger;
  /** Lets that much time pass on the ledger's clock. */
  pass(ms: number): Promise<void>;
}

// 20 tokens a second for a user, 10 for the tenant.
const one = { tenant: { perMs: 0.01, burst: 4 }, user: { perMs: 0.02, burst: 3 }, reserve: 1 };
const limits: Limits = { read: one, write: one, filtered: { ...one, tenant: { perMs: 0.01, burst: 1 } } };
const ask = (user: string, more: Partial<Ask> = {}): Ask => ({ user, cost: 'read', offset: 0, maxWaitMs: 0, ...more });
const ticketOf = (answer: Answer): Ticket => {
  if (answer.kind !== 'wait') throw new Error(`expected a place in the line, got ${answer.kind}`);
  return answer.ticket;
};

describe.each(['memory', 'redis'] as const)('the %s ledger', (kind) => {
  let server: RedisServer;
  let redis: Redis;
  let bench: Bench;

  beforeAll(async () => {
    if (kind === 'memory') return;
    server = await startRedis();
    redis = createRedis({ url: server.url, keyPrefix: '' }, { info: () => undefined, warn: () => undefined });
  });
  afterAll(async () => {
    if (kind === 'memory') return;
    await redis.close();
    await server.stop();
  });

  const make = async (): Promise<Bench> => {
    let now = 1_000_000;
    if (kind === 'memory') {
      const ledger = createMemoryLedger(
        () => limits,
        () => now,
      );
      return {
        ledger,
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
      ledger: createRedisLedger(
        clock.redis,
        limits,
        () => Promise.resolve(),
        () => undefined,
      ),
      pass: (ms) => clock.set((now += ms)),
    };
  };

  beforeEach(async () => {
    bench = await make();
    // A fresh tenant's bucket is not full: what was spent before is unknown.
    await bench.ledger.peek('nobody');
    await bench.pass(450);
  });

  test("takes from the user's and the tenant's bucket together", async () => {
    const first = await bench.ledger.ask(ask('ann'));
    expect(first).toMatchObject({ kind: 'taken' });
    expect(Math.floor(first.levels.read)).toBe(2);
    expect(Math.floor(first.levels.write)).toBe(3);
  });

  test("refuses beyond the user's burst, says when the next one goes, and spends nothing on the refusal", async () => {
    for (let turn = 0; turn < 3; turn++) await bench.ledger.ask(ask('ann'));
    const refused = await bench.ledger.ask(ask('ann'));
    expect(refused).toMatchObject({ kind: 'refused', by: 'user' });
    if (refused.kind !== 'refused') return;
    expect(refused.retryMs).toBeLessThanOrEqual(50);
    await bench.pass(refused.retryMs);
    expect(await bench.ledger.ask(ask('ann'))).toMatchObject({ kind: 'taken' });
  });

  test('tells the later of the two waits when both buckets are empty', async () => {
    const write = { cost: 'write' } as const;
    for (let turn = 0; turn < 3; turn++) await bench.ledger.ask(ask('ann', write));
    await bench.ledger.ask(ask('bob', write));
    const refused = await bench.ledger.ask(ask('ann', write));
    // A token of ann's takes 50 ms, one of the tenant's 100.
    expect(refused).toMatchObject({ kind: 'refused', by: 'user' });
    if (refused.kind !== 'refused') return;
    expect(refused.retryMs).toBeGreaterThan(99);
    await bench.pass(refused.retryMs);
    expect(await bench.ledger.ask(ask('ann', write))).toMatchObject({ kind: 'taken' });
  });

  test("refuses beyond the tenant's burst and returns the user's token", async () => {
    for (const user of ['a', 'b', 'c', 'd']) expect(await bench.ledger.ask(ask(user))).toMatchObject({ kind: 'taken' });
    const refused = await bench.ledger.ask(ask('eve'));
    expect(refused).toMatchObject({ kind: 'refused', by: 'tenant' });
    expect(Math.floor(refused.levels.read)).toBe(3);
    if (refused.kind !== 'refused') return;
    await bench.pass(refused.retryMs);
    expect(await bench.ledger.ask(ask('eve'))).toMatchObject({ kind: 'taken' });
  });

  test('keeps the classes apart', async () => {
    for (const user of ['a', 'b', 'c', 'd']) await bench.ledger.ask(ask(user));
    expect(await bench.ledger.ask(ask('a', { cost: 'write' }))).toMatchObject({ kind: 'taken' });
  });

  test('gives a place in the line when the slot is near enough, and honours it then', async () => {
    for (const user of ['a', 'b', 'c', 'd']) await bench.ledger.ask(ask(user));
    const answer = await bench.ledger.ask(ask('eve', { maxWaitMs: 1_000 }));
    const ticket = ticketOf(answer);
    if (answer.kind === 'wait') await bench.pass(answer.waitMs);
    expect(await bench.ledger.claim(ticket)).toMatchObject({ kind: 'taken' });
  });

  test("lets a user's own next token be waited for", async () => {
    for (let turn = 0; turn < 3; turn++) await bench.ledger.ask(ask('ann'));
    const answer = await bench.ledger.ask(ask('ann', { maxWaitMs: 1_000 }));
    const ticket = ticketOf(answer);
    if (answer.kind === 'wait') await bench.pass(answer.waitMs);
    expect(await bench.ledger.claim(ticket)).toMatchObject({ kind: 'taken' });
  });

  test('lets a modest user go before the later requests of a greedy one', async () => {
    await bench.ledger.ask(ask('greedy', { cost: 'filtered' }));
    const greedy = [];
    for (let turn = 0; turn < 2; turn++)
      greedy.push(ticketOf(await bench.ledger.ask(ask('greedy', { cost: 'filtered', maxWaitMs: 2_000 }))));
    const modest = await bench.ledger.ask(ask('modest', { cost: 'filtered', maxWaitMs: 2_000 }));
    expect(modest.kind).toBe('wait');
    if (modest.kind !== 'wait') return;
    // One token every 100 ms: the greedy one keeps the first slot, for it came first; the modest one is due at the second, not the third.
    const [first = modest.ticket, second = modest.ticket] = greedy;
    expect(Math.round(modest.waitMs)).toBe(200);
    await bench.pass(100);
    expect((await bench.ledger.claim(first)).kind).toBe('taken');
    await bench.pass(100);
    expect((await bench.ledger.claim(second)).kind).toBe('wait');
    expect(await bench.ledger.claim(modest.ticket)).toMatchObject({ kind: 'taken' });
  });

  test('holds nothing against a user for what they spent while nobody waited', async () => {
    for (let turn = 0; turn < 3; turn++) {
      await bench.ledger.ask(ask('regular', { cost: 'filtered' }));
      await bench.pass(100);
    }
    await bench.ledger.ask(ask('z', { cost: 'filtered' }));
    const regular = ticketOf(await bench.ledger.ask(ask('regular', { cost: 'filtered', maxWaitMs: 2_000 })));
    const fresh = ticketOf(await bench.ledger.ask(ask('fresh', { cost: 'filtered', maxWaitMs: 2_000 })));
    await bench.pass(100);
    expect((await bench.ledger.claim(fresh)).kind).toBe('wait');
    expect((await bench.ledger.claim(regular)).kind).toBe('taken');
  });

  test('lets whoever has priority overtake, and only by the turns it is worth', async () => {
    const filtered = { cost: 'filtered', maxWaitMs: 3_000 } as const;
    await bench.ledger.ask(ask('z', filtered));
    const late = await bench.ledger.ask(ask('a', { ...filtered, offset: 4 }));
    const usual = await bench.ledger.ask(ask('b', filtered));
    const urgent = await bench.ledger.ask(ask('c', { ...filtered, offset: -4 }));
    const waits = [urgent, usual, late].map((answer) => (answer.kind === 'wait' ? answer.waitMs : 0));
    expect(waits[0]).toBeLessThan(101);
    expect(waits[1]).toBeLessThan(101);
    await bench.pass(100);
    expect((await bench.ledger.claim(ticketOf(late))).kind).toBe('wait');
    expect((await bench.ledger.claim(ticketOf(usual))).kind).toBe('wait');
    expect((await bench.ledger.claim(ticketOf(urgent))).kind).toBe('taken');
  });

  test('closes the gap when somebody leaves the line, and gives their token back', async () => {
    await bench.ledger.ask(ask('z', { cost: 'filtered' }));
    const first = ticketOf(await bench.ledger.ask(ask('a', { cost: 'filtered', maxWaitMs: 2_000 })));
    const second = await bench.ledger.ask(ask('b', { cost: 'filtered', maxWaitMs: 2_000 }));
    await bench.ledger.leave(first);
    expect(Math.floor((await bench.ledger.peek('a')).filtered)).toBe(3);
    await bench.pass(101);
    expect(await bench.ledger.claim(ticketOf(second))).toMatchObject({ kind: 'taken' });
  });

  test('does not wait for those who never come back: their place lapses', async () => {
    await bench.ledger.ask(ask('z', { cost: 'filtered' }));
    await bench.ledger.ask(ask('gone', { cost: 'filtered', maxWaitMs: 150 }));
    await bench.pass(450);
    expect(await bench.ledger.ask(ask('b', { cost: 'filtered' }))).toMatchObject({ kind: 'taken' });
  });

  test('gives back what was never sent', async () => {
    for (const user of ['a', 'b', 'c', 'd']) await bench.ledger.ask(ask(user));
    await bench.ledger.giveBack('d', 'read');
    expect(await bench.ledger.ask(ask('d'))).toMatchObject({ kind: 'taken' });
  });

  test('never holds more than a burst, however much is given back', async () => {
    for (let turn = 0; turn < 10; turn++) await bench.ledger.giveBack('ann', 'read');
    expect((await bench.ledger.peek('ann')).read).toBeLessThanOrEqual(3);
  });

  test('closes one user until the API takes requests again, and nobody else', async () => {
    await bench.ledger.learn({ kind: 'user-limited', cost: 'read', user: 'ann', retryMs: 300 });
    const refused = await bench.ledger.ask(ask('ann'));
    expect(refused).toMatchObject({ kind: 'refused', by: 'user' });
    if (refused.kind === 'refused') expect(refused.retryMs).toBeGreaterThan(299);
    expect(await bench.ledger.ask(ask('bob'))).toMatchObject({ kind: 'taken' });
    await bench.pass(301);
    expect(await bench.ledger.ask(ask('ann'))).toMatchObject({ kind: 'taken' });
  });

  test('slows everybody down after a 429 for the tenant, and recovers', async () => {
    await bench.ledger.learn({ kind: 'tenant-limited', cost: 'read', retryMs: 200 });
    const refused = await bench.ledger.ask(ask('ann'));
    expect(refused).toMatchObject({ kind: 'refused', by: 'tenant' });
    // 200 ms closed, then 100 ms for a token at the full rate, 143 at seven tenths of it.
    if (refused.kind === 'refused') expect(refused.retryMs).toBeGreaterThan(330);
    await bench.pass(360);
    expect(await bench.ledger.ask(ask('ann'))).toMatchObject({ kind: 'taken' });
  });

  test('follows what others left for the tenant and for a user', async () => {
    await bench.ledger.learn({ kind: 'tenant-low', cost: 'write', remaining: 0 });
    expect(await bench.ledger.ask(ask('ann', { cost: 'write' }))).toMatchObject({ kind: 'refused', by: 'tenant' });
    await bench.ledger.learn({ kind: 'user-low', cost: 'read', user: 'ann', remaining: 0 });
    expect(await bench.ledger.ask(ask('ann'))).toMatchObject({ kind: 'refused', by: 'user' });
  });

  test('takes over what was known of a user elsewhere, never raising a level', async () => {
    await bench.ledger.remember('ann', { read: 0.5, write: 99, filtered: 1 });
    const levels = await bench.ledger.peek('ann');
    expect([Math.floor(levels.read), Math.floor(levels.write), Math.floor(levels.filtered)]).toEqual([0, 3, 1]);
  });

  test('agrees under load: never more is taken than the bucket could hold and gain', async () => {
    const answers = await Promise.all(Array.from({ length: 60 }, (_, index) => bench.ledger.ask(ask(`user ${String(index)}`))));
    expect(answers.filter((answer) => answer.kind === 'taken')).toHaveLength(4);
  });
});

describe('the two ledgers', () => {
  let server: RedisServer;
  let redis: Redis;
  beforeAll(async () => {
    server = await startRedis();
    redis = createRedis({ url: server.url, keyPrefix: '' }, { info: () => undefined, warn: () => undefined });
  });
  afterAll(async () => {
    await redis.close();
    await server.stop();
  });

  const cost = fc.constantFrom<Ask['cost']>('read', 'write', 'filtered');
  const user = fc.constantFrom('ann', 'bob', 'eve');
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('ask'),
        user,
        cost,
        offset: fc.constantFrom(-4, 0, 4),
        maxWaitMs: fc.constantFrom(0, 90, 700),
      }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('claim'), index: fc.nat(20) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('leave'), index: fc.nat(20) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('give-back'), user, cost }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('learn'), user, cost, kind: fc.nat(3), amount: fc.nat(300) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('pass'), ms: fc.nat(250) }) },
  );

  test('decide alike, whatever happens in whatever order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step as fc.Arbitrary<Step>, { maxLength: 60 }), async (steps) => {
        await redis.command('FLUSHALL');
        const clock = withClock(redis);
        let now = 1_000_000;
        await clock.set(now);
        const pair = [
          createMemoryLedger(
            () => limits,
            () => now,
          ),
          createRedisLedger(
            clock.redis,
            limits,
            () => Promise.resolve(),
            () => undefined,
          ),
        ];
        await Promise.all(pair.map((ledger) => ledger.peek('nobody')));
        const tickets: Ticket[][] = [[], []];
        for (const each of steps) {
          if (each.do === 'pass') await clock.set((now += each.ms));
          const seen = [];
          for (const [side, ledger] of pair.entries()) seen.push(await play(ledger, each, tickets[side] ?? []));
          expect(seen[0]).toEqual(seen[1]);
        }
      }),
      { numRuns: 150 },
    );
  });
});

type Step = {
  do: string;
  user: string;
  cost: Ask['cost'];
  offset: number;
  maxWaitMs: number;
  index: number;
  kind: number;
  amount: number;
  ms: number;
};

// Does one thing and tells what a gateway would see of it, times rounded to a tenth of a millisecond.
async function play(ledger: Ledger, each: Step, tickets: Ticket[]): Promise<unknown> {
  const { user, cost } = each;
  const ticket = tickets.length > 0 ? tickets[each.index % tickets.length] : undefined;
  const round = (value: number) => Math.round(value * 10) / 10;
  const told = (answer: Answer) => {
    if (answer.kind === 'wait' && !tickets.includes(answer.ticket)) tickets.push(answer.ticket);
    const { read, write, filtered } = answer.levels;
    const ms = answer.kind === 'wait' ? answer.waitMs : answer.kind === 'refused' ? answer.retryMs : 0;
    return [answer.kind, answer.kind === 'refused' ? answer.by : '', round(ms), round(read), round(write), round(filtered)];
  };
  if (each.do === 'ask') return told(await ledger.ask({ user, cost, offset: each.offset, maxWaitMs: each.maxWaitMs }));
  if (each.do === 'give-back') return ledger.giveBack(user, cost);
  if (each.do === 'learn') return ledger.learn(lessonOf(each));
  if (!ticket) return undefined;
  tickets.splice(tickets.indexOf(ticket), 1);
  if (each.do === 'claim') return told(await ledger.claim(ticket));
  if (each.do === 'leave') return ledger.leave(ticket);
  tickets.push(ticket);
  return undefined;
}

function lessonOf({ user, cost, kind, amount }: Step): Lesson {
  if (kind === 0) return { kind: 'tenant-limited', cost, retryMs: amount };
  if (kind === 1) return { kind: 'user-limited', cost, user, retryMs: amount };
  if (kind === 2) return { kind: 'tenant-low', cost, remaining: amount % 4 };
  return { kind: 'user-low', cost, user, remaining: amount % 4 };
}

describe('the ledger over time', () => {
  const arrivals = fc.array(
    fc.record({ gapMs: fc.integer({ min: 0, max: 400 }), user: fc.constantFrom('a', 'b', 'c'), cost: fc.constantFrom('read', 'write') }),
    { maxLength: 200 },
  );

  test('admits no more in any stretch of time than burst plus rate, for the tenant and for each user', async () => {
    await fc.assert(
      fc.asyncProperty(arrivals, async (list) => {
        let now = 0;
        const ledger = createMemoryLedger(
          () => limits,
          () => now,
        );
        const taken: { at: number; user: string; cost: string }[] = [];
        for (const { gapMs, user, cost } of list) {
          now += gapMs;
          const answer = await ledger.ask(ask(user, { cost: cost === 'read' ? 'read' : 'write' }));
          if (answer.kind === 'taken') taken.push({ at: now, user, cost });
        }
        for (const cost of ['read', 'write']) {
          for (const who of [undefined, 'a', 'b', 'c']) {
            const times = taken.filter((each) => each.cost === cost && (who === undefined || each.user === who)).map(({ at }) => at);
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
        const ledger = createMemoryLedger(
          () => limits,
          () => now + shift,
        );
        for (const { gapMs, user } of list) {
          now += gapMs;
          const answer = await ledger.ask(ask(user));
          if (answer.kind !== 'refused' || answer.retryMs < 2) continue;
          shift += answer.retryMs - 1;
          expect(await ledger.ask(ask(user))).toMatchObject({ kind: 'refused' });
          shift += 1.01;
          expect(await ledger.ask(ask(user))).toMatchObject({ kind: 'taken' });
        }
      }),
      { numRuns: 200 },
    );
  });
});
