import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import { createRedis, type Redis } from '../../../../src/gateway/redis/client.ts';
import { createMemoryStore } from '../../../../src/gateway/session/memory-store.ts';
import { createRedisStore } from '../../../../src/gateway/session/redis-store.ts';
import type { Store } from '../../../../src/gateway/session/store.ts';
import { startRedis, type RedisServer } from '../../../helpers/redis.ts';

const gateways = 4;
const leaseMs = 5_000;
const writeMs = 50_000;

/**
 * One thing that happens: a gateway does something, or time passes. A crash makes a gateway forget what it held. One that is stopped, or cut off from
 * the store, does nothing until it is back, and then goes on as if no time had passed: a write of its own is late.
 */
type Step =
  | {
      readonly act: 'ask' | 'renew' | 'write' | 'give back' | 'crash' | 'away' | 'back';
      readonly by: number;
    }
  | { readonly act: 'wait'; readonly ms: number }
  | { readonly act: 'end' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      act: fc.constantFrom(
        'ask' as const,
        'ask' as const,
        'renew' as const,
        'write' as const,
        'write' as const,
        'give back' as const,
        'crash' as const,
        'away' as const,
        'back' as const,
      ),
      by: fc.nat(gateways - 1),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      act: fc.constant('wait' as const),
      ms: fc.constantFrom(1, 1_000, 4_999, 5_000, 12_000, 44_999, 60_000),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ act: 'end' as const }) },
);

/** What a gateway knows: the generation it last read, and the lease it believes to hold. */
interface Gateway {
  generation: number;
  holder: Buffer | undefined;
  away: boolean;
}

/** What must hold of a generation: who was last given it, how often, until when they hold it, and until when one of them may bring an answer. */
interface Granted {
  last: string;
  times: number;
  until: number;
  final: number;
}

/** Lives through the steps and answers what must never happen; empty when all held. */
const live = async (
  store: Store,
  key: string,
  steps: readonly Step[],
  pass: (ms: number) => Promise<void>,
  leewayMs: number,
): Promise<string[]> => {
  const now = await store.now();
  await store.create(
    key,
    { generation: 1, endsAt: now + 10_000_000, createdAt: now, sealed: Buffer.from('1') },
    10_000_000,
  );
  const crowd: Gateway[] = Array.from({ length: gateways }, () => ({
    generation: 1,
    holder: undefined,
    away: false,
  }));
  const wrong: string[] = [];
  const terms = { leaseMs, leewayMs, writeMs };
  const granted = new Map<number, Granted>();
  let passed = 0;
  let newest = 1;
  let ended = false;

  for (const one of steps) {
    if (one.act === 'wait') {
      await pass(one.ms);
      passed += one.ms;
    } else if (one.act === 'end') {
      await store.end(key);
      ended = true;
    } else {
      const gateway = crowd[one.by];
      if (gateway === undefined) continue;
      const { holder, generation } = gateway;
      if (one.act === 'crash')
        Object.assign(gateway, { generation: newest, holder: undefined, away: false });
      if (one.act === 'away' || one.act === 'back') gateway.away = one.act === 'away';
      if (gateway.away) continue;
      if (one.act === 'ask' && holder === undefined) {
        const mine = randomBytes(8);
        const lease = await store.lease(key, generation, mine, terms);
        if (lease.kind === 'superseded') gateway.generation = lease.found.entry.generation;
        if (ended !== (lease.kind === 'gone'))
          wrong.push(`ended ${ended}, but the answer was ${lease.kind}`);
        if (
          lease.kind === 'abandoned' ||
          (lease.kind === 'busy' && (granted.get(generation)?.until ?? 0) <= passed)
        ) {
          const final = granted.get(generation)?.final ?? Infinity;
          if (lease.kind === 'abandoned' && final > passed)
            wrong.push('taken for abandoned while a holder could still write');
          if (lease.kind === 'busy' && final <= passed)
            wrong.push('waited for somebody who could no longer write');
          if (await store.abandon(key, generation, terms)) {
            ended = true;
            if (final > passed) wrong.push('ended while a holder could still write');
          } else if (lease.kind === 'abandoned') wrong.push('abandoned and not ended');
        }
        if (lease.kind === 'acquired') {
          if (generation !== newest) wrong.push('an old generation was given out');
          if ((granted.get(generation)?.until ?? 0) > passed)
            wrong.push('a generation was given out while somebody held it');
          const times = (granted.get(generation)?.times ?? 0) + 1;
          if (times > 1 && leewayMs === 0) wrong.push('a generation was given out twice');
          granted.set(generation, {
            last: mine.toString('hex'),
            times,
            until: passed + leaseMs,
            final: passed + writeMs,
          });
          gateway.holder = mine;
        }
      }
      if (holder === undefined) continue;
      const last = granted.get(generation);
      if (one.act === 'renew' && (await store.renew(key, holder, leaseMs)) && last !== undefined)
        Object.assign(last, { until: passed + leaseMs, final: passed + writeMs });
      if (one.act === 'give back') {
        await store.release(key, holder, 0);
        if (last?.last === holder.toString('hex'))
          Object.assign(last, { times: 0, until: 0, final: Infinity });
        gateway.holder = undefined;
      }
      if (one.act === 'write') {
        const outcome = await store.replace(
          key,
          {
            generation: generation + 1,
            endsAt: now + 10_000_000,
            createdAt: now,
            sealed: Buffer.from(String(generation + 1)),
          },
          { generation, holder },
        );
        if (outcome === 'replaced') {
          if (ended) wrong.push('an ended session was written');
          if (generation !== newest) wrong.push('an old generation was written over a newer one');
          if (last?.last !== holder.toString('hex') && (last?.until ?? 0) > passed)
            wrong.push('written under the hands of whoever held the lease');
          newest = generation + 1;
          gateway.generation = newest;
        } else if (!ended && generation === newest && (last?.until ?? 0) <= passed)
          wrong.push(`a late answer was not taken: ${outcome}`);
        // One that is held is tried again.
        if (outcome === 'held') continue;
        gateway.holder = undefined;
      }
    }
  }
  const found = await store.read(key);
  if (ended && found !== undefined) wrong.push('an ended session came back');
  if (!ended && found?.entry.generation !== newest)
    wrong.push(`the newest generation ${newest} was lost`);
  return wrong;
};

describe('whatever several gateways do, and however they die, a session', () => {
  test.each([0, 20_000])(
    'is spent once a generation, written by the holder only, never revived and never lost (leeway %i ms)',
    async (leewayMs) => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
          let clock = 1_000_000;
          const store = createMemoryStore(() => clock);
          const wrong = await live(
            store,
            'one',
            steps,
            async (ms) => {
              clock += ms;
              return Promise.resolve();
            },
            leewayMs,
          );
          store.close();
          expect(wrong).toEqual([]);
        }),
        { numRuns: 4_000 },
      );
    },
  );
});

describe('the same in Redis', () => {
  let server: RedisServer;
  let redis: Redis;
  beforeAll(async () => {
    server = await startRedis();
    redis = createRedis({ url: server.url }, { info: () => undefined, warn: () => undefined });
  });
  afterAll(async () => {
    await redis.close();
    await server.stop();
  });

  test('over its own clock, for the steps that need no waiting', async () => {
    const store = createRedisStore(redis);
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        run += 1;
        const quick = steps.filter(({ act }) => act !== 'wait');
        expect(await live(store, `run-${run}`, quick, async () => Promise.resolve(), 0)).toEqual(
          [],
        );
      }),
      { numRuns: 300 },
    );
  });
});
