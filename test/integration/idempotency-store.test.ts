import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createMemoryIdempotency } from '../../src/gateway/cache/memory-idempotency.ts';
import { createRedisIdempotency } from '../../src/gateway/cache/redis-idempotency.ts';
import { leaseMs, mostChanges } from '../../src/gateway/cache/idempotency-store.ts';
import type { Change, IdempotencyStore } from '../../src/gateway/cache/idempotency-store.ts';
import { createRedis, type Redis } from '../../src/gateway/redis/client.ts';
import { withClock } from '../helpers/redis-clock.ts';
import { startRedis, type RedisServer } from '../helpers/redis.ts';

let server: RedisServer;
let redis: Redis;
beforeAll(async () => {
  server = await startRedis();
  redis = createRedis(
    { url: server.url, keyPrefix: '' },
    { info: () => undefined, warn: () => undefined },
  );
});
afterAll(async () => {
  await redis.close();
  await server.stop();
});

const change = (over: Partial<Change> = {}): Change => ({
  user: 'user',
  area: 'authentication-methods',
  name: 'i:one',
  explicit: true,
  fingerprint: Buffer.alloc(16, 1),
  ...over,
});
const unnamed = change({ explicit: false });
const done = { kind: 'done', rememberMs: 600_000, sealed: Buffer.from('outcome') } as const;

interface Scene {
  readonly store: IdempotencyStore;
  /** Lets time pass on the store's clock. */
  pass(ms: number): Promise<void>;
}

describe.each<[string, () => Promise<Scene>]>([
  [
    'in this process',
    () => {
      let now = 1_800_000_000_000;
      const store = createMemoryIdempotency(() => now);
      return Promise.resolve({
        store,
        pass(ms) {
          now += ms;
          return Promise.resolve();
        },
      });
    },
  ],
  [
    'in Redis',
    async () => {
      await redis.command('FLUSHALL');
      const clocked = withClock(redis);
      let now = Date.now();
      await clocked.set(now);
      return {
        store: createRedisIdempotency(clocked.redis),
        async pass(ms) {
          now += ms;
          await clocked.set(now);
        },
      };
    },
  ],
])('changes remembered %s', (_where, begin) => {
  let store: IdempotencyStore;
  let pass: Scene['pass'];
  beforeEach(async () => {
    ({ store, pass } = await begin());
  });
  const claimed = async (of = change()): Promise<number> => {
    const claim = await store.claim(of);
    expect(claim.kind).toBe('claimed');
    return claim.kind === 'claimed' ? claim.number : 0;
  };
  const kind = async (of = change()): Promise<string> => (await store.claim(of)).kind;

  test('one that is sent by a gateway that lives is busy for as long as it takes', async () => {
    const number = await claimed();
    for (let i = 0; i < 100; i += 1) {
      await pass(leaseMs - 1);
      expect(await kind()).toBe('busy');
      await store.hold(change(), number);
    }
  });

  test('one whose gateway is gone is unknown from then on, for ten minutes', async () => {
    await claimed();
    await pass(leaseMs);
    expect(await kind()).toBe('unknown');
    await pass(600_000 - leaseMs - 1);
    expect(await kind()).toBe('unknown');
    await pass(1);
    expect(await kind()).toBe('claimed');
  });

  test('one whose gateway was only slow has its outcome all the same', async () => {
    const number = await claimed();
    await pass(20_000);
    expect(await kind()).toBe('unknown');
    await store.settle(change(), number, done);
    expect(await store.claim(change())).toEqual({ kind: 'done', sealed: done.sealed });
    await pass(599_999);
    expect(await kind()).toBe('done');
  });

  test('one that nobody saw the end of is unknown at once', async () => {
    const number = await claimed();
    await store.settle(change(), number, { kind: 'unknown', rememberMs: 600_000 });
    expect(await kind()).toBe('unknown');
    await store.hold(change(), number + 1);
    await pass(599_999);
    expect(await kind()).toBe('unknown');
  });

  test('one that came to nothing may be sent again', async () => {
    await store.settle(change(), await claimed(), { kind: 'forget' });
    expect(await kind()).toBe('claimed');
  });

  test('a name belongs to one request, in whatever part of the account', async () => {
    const other = change({ fingerprint: Buffer.alloc(16, 2) });
    const elsewhere = change({ area: 'connected-accounts', fingerprint: Buffer.alloc(16, 3) });
    const number = await claimed();
    expect([await kind(other), await kind(elsewhere)]).toEqual(['other', 'other']);
    await pass(leaseMs);
    expect([await kind(other), await kind(elsewhere)]).toEqual(['other', 'other']);
    await store.settle(change(), number, done);
    expect([await kind(other), await kind(elsewhere)]).toEqual(['other', 'other']);
    expect(await kind(change({ user: 'another' }))).toBe('claimed');
  });

  test('one without a name is a repeat until another change of that part has begun, and half a minute at most', async () => {
    await store.settle(unnamed, await claimed(unnamed), {
      kind: 'done',
      rememberMs: 5_000,
      sealed: Buffer.from('x'),
    });
    expect(await kind(unnamed)).toBe('done');
    await claimed(change({ name: 'i:two', area: 'connected-accounts' }));
    expect(await kind(unnamed)).toBe('done');
    await claimed(change({ name: 'i:three' }));
    await claimed(unnamed);
    await pass(leaseMs);
    expect(await kind(unnamed)).toBe('unknown');
    await pass(30_000 - leaseMs);
    expect(await kind(unnamed)).toBe('claimed');
  });

  test('who comes too late to say what became of it does not speak for the one who sent it again', async () => {
    const number = await claimed();
    await pass(600_000);
    await claimed();
    await store.settle(change(), number, { kind: 'forget' });
    expect(await kind()).toBe('busy');
    await store.settle(change(), number, done);
    await pass(leaseMs - 1);
    await store.hold(change(), number);
    await pass(1);
    expect(await kind()).toBe('unknown');
  });

  test('none makes way for another before its time: one too many is refused', async () => {
    for (let i = 0; i < mostChanges; i += 1) {
      const each = change({ name: `i:${i}` });
      await store.settle(each, await claimed(each), done);
    }
    expect(await kind(change({ name: 'i:more' }))).toBe('full');
    expect(await kind(change({ name: 'i:0' }))).toBe('done');
    await pass(600_000);
    expect(await kind(change({ name: 'i:more' }))).toBe('claimed');
  });
});
