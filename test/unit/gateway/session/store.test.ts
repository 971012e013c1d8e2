import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { createRedis, type Redis } from '../../../../src/gateway/redis/client.ts';
import { createMemoryStore } from '../../../../src/gateway/session/memory-store.ts';
import { createRedisStore } from '../../../../src/gateway/session/redis-store.ts';
import type { Entry, LeaseTerms, Store } from '../../../../src/gateway/session/store.ts';
import { withClock } from '../../../helpers/redis-clock.ts';
import { startRedis, type RedisServer } from '../../../helpers/redis.ts';
import { until } from '../../../helpers/until.ts';

const quiet = { info: () => undefined, warn: () => undefined };
const start = 1_000_000_000_000;
let server: RedisServer;
let redis: Redis;
let clock: ReturnType<typeof withClock>;
const stores = new Map<string, Store>();
/** Lets that many milliseconds pass for both stores, without waiting for them. */
let pass: (ms: number) => Promise<void>;

beforeAll(async () => {
  server = await startRedis();
  redis = createRedis({ url: server.url, keyPrefix: '', deadlineMs: 30_000 }, quiet);
  clock = withClock(redis);
  await clock.set(start);
  let now = start;
  pass = async (ms) => {
    now += ms;
    await clock.pass(ms);
  };
  stores.set('in Redis', createRedisStore(clock.redis));
  stores.set(
    'in memory',
    createMemoryStore(() => now),
  );
});
afterAll(async () => {
  for (const store of stores.values()) store.close();
  await redis.close();
  await server.stop();
});

const holder = (): Buffer => randomBytes(8);
const key = (): string => randomBytes(16).toString('base64url');
const terms = (leaseMs: number, leewayMs: number, writeMs = 60_000): LeaseTerms => ({
  leaseMs,
  leewayMs,
  writeMs,
});

describe.each(['in Redis', 'in memory'])('a store %s', (name) => {
  const the = (): Store => {
    const store = stores.get(name);
    if (store === undefined) throw new Error('no such store');
    return store;
  };
  const begin = async (
    endsInMs = 60_000,
    idleMs = 60_000,
  ): Promise<{ key: string; entry: Entry }> => {
    const now = await the().now();
    const entry = {
      generation: 1,
      endsAt: now + endsInMs,
      createdAt: now,
      sealed: Buffer.from([0, 255, 13, 10, 0, 7]),
    };
    const made = { key: key(), entry };
    await the().create(made.key, entry, idleMs);
    return made;
  };

  test('gives back every byte it was given', async () => {
    const { key, entry } = await begin();
    const found = await the().read(key);
    expect(found?.entry).toEqual(entry);
  });

  test('never overwrites an entry with a new one', async () => {
    const { key, entry } = await begin();
    await the().create(key, { ...entry, sealed: Buffer.from('other') }, 60_000);
    expect((await the().read(key))?.entry.sealed).toEqual(entry.sealed);
  });

  test('ends an entry whose absolute end has passed, however often it is read', async () => {
    const { key } = await begin(250, 60_000);
    expect(await the().read(key, 60_000)).toBeDefined();
    await pass(251);
    expect(await the().read(key, 60_000)).toBeUndefined();
  });

  test('ends an entry nobody reads, and a read with an idle time keeps it', async () => {
    const [left, kept] = [await begin(600_000, 60_000), await begin(600_000, 60_000)];
    for (let i = 0; i < 4; i += 1) {
      await pass(30_000);
      expect(await the().read(kept.key, 60_000)).toBeDefined();
    }
    expect(await the().read(left.key)).toBeUndefined();
  });

  test('a look without an idle time does not keep an entry', async () => {
    const { key } = await begin(200_000, 60_000);
    await pass(30_000);
    const found = await the().read(key);
    expect(found?.idleLeftMs).toBeLessThanOrEqual(30_000);
    await pass(30_000);
    expect(await the().read(key)).toBeUndefined();
  });

  test('writes the next generation over the one it was made from, and over no other', async () => {
    const { key, entry } = await begin();
    const second = { ...entry, generation: 2, sealed: Buffer.from('second') };
    expect(await the().replace(key, second, { generation: 1 })).toBe('replaced');
    expect(
      await the().replace(key, { ...second, sealed: Buffer.from('late') }, { generation: 1 }),
    ).toBe('stale');
    expect((await the().read(key))?.entry.sealed.toString()).toBe('second');
  });

  test('never brings an ended entry back', async () => {
    const { key, entry } = await begin();
    expect(await the().end(key)).toBe(true);
    expect(await the().replace(key, { ...entry, generation: 2 }, { generation: 1 })).toBe('gone');
    expect(await the().read(key)).toBeUndefined();
    expect(await the().end(key)).toBe(false);
  });

  test('a replacement keeps the idle time that was left', async () => {
    const { key, entry } = await begin(60_000, 400);
    await the().replace(key, { ...entry, generation: 2 }, { generation: 1 });
    expect((await the().read(key))?.idleLeftMs).toBeLessThanOrEqual(400);
  });

  test('lends a generation to one holder at a time', async () => {
    const { key } = await begin();
    const [first, second] = [holder(), holder()];
    expect((await the().lease(key, 1, first, terms(5_000, 0))).kind).toBe('acquired');
    expect((await the().lease(key, 1, second, terms(5_000, 0))).kind).toBe('busy');
  });

  test('lets only the holder of the lease write', async () => {
    const { key, entry } = await begin();
    const mine = holder();
    await the().lease(key, 1, mine, terms(5_000, 0));
    expect(
      await the().replace(key, { ...entry, generation: 2 }, { generation: 1, holder: holder() }),
    ).toBe('held');
    expect(
      await the().replace(key, { ...entry, generation: 2 }, { generation: 1, holder: mine }),
    ).toBe('replaced');
  });

  test('answers whoever asks for an old generation with the newer entry', async () => {
    const { key, entry } = await begin();
    const mine = holder();
    await the().lease(key, 1, mine, terms(5_000, 0));
    await the().replace(
      key,
      { ...entry, generation: 2, sealed: Buffer.from('new') },
      { generation: 1, holder: mine },
    );
    const lease = await the().lease(key, 1, holder(), terms(5_000, 0));
    expect(lease.kind === 'superseded' ? lease.found.entry.sealed.toString() : lease.kind).toBe(
      'new',
    );
  });

  test('never lends a generation again whose holder vanished, except within the leeway', async () => {
    const { key } = await begin();
    await the().lease(key, 1, holder(), terms(50, 0));
    await pass(100);
    expect((await the().lease(key, 1, holder(), terms(50, 0, 50))).kind).toBe('abandoned');
    expect((await the().lease(key, 1, holder(), terms(50, 30_000))).kind).toBe('acquired');
  });

  test('gives nobody up for lost who may still write, and then its generation only', async () => {
    const { key, entry } = await begin();
    const mine = holder();
    await the().lease(key, 1, mine, terms(50, 0));
    await pass(100);
    const waiting = await the().lease(key, 1, holder(), terms(50, 0));
    expect(waiting).toMatchObject({ kind: 'busy', sinceMs: expect.any(Number) });
    expect(waiting.kind === 'busy' && waiting.waitMs).toBeGreaterThan(50_000);
    expect(await the().abandon(key, 1, terms(50, 0))).toBe(false);
    expect(
      await the().replace(key, { ...entry, generation: 2 }, { generation: 1, holder: mine }),
    ).toBe('replaced');
    expect(await the().abandon(key, 1, terms(50, 0, 50))).toBe(false);
    expect(await the().abandon(key, 2, terms(50, 0, 50))).toBe(false);
    await the().lease(key, 2, mine, terms(50, 0));
    await pass(100);
    expect(await the().abandon(key, 2, terms(50, 0, 50))).toBe(true);
    expect(await the().read(key)).toBeUndefined();
    expect(
      await the().replace(key, { ...entry, generation: 3 }, { generation: 2, holder: mine }),
    ).toBe('gone');
  });

  test('takes the answer of a former holder when nobody else spends the generation, and not while somebody does', async () => {
    const { key, entry } = await begin();
    const [former, latter] = [holder(), holder()];
    const second = { ...entry, generation: 2 };
    await the().lease(key, 1, former, terms(50, 30_000));
    await pass(100);
    expect((await the().lease(key, 1, latter, terms(150, 30_000))).kind).toBe('acquired');
    expect(await the().replace(key, second, { generation: 1, holder: former })).toBe('held');
    await pass(200);
    expect(await the().replace(key, second, { generation: 1, holder: former })).toBe('replaced');
    expect(await the().replace(key, second, { generation: 1, holder: latter })).toBe('stale');
  });

  test('says of a session that was passed on that it was, and keeps nothing of it', async () => {
    const { key, entry } = await begin();
    const mine = holder();
    await the().lease(key, 1, mine, terms(5_000, 0));
    expect(await the().passOn(key, 60_000)).toBe(true);
    expect(await the().passOn(key, 60_000)).toBe(false);
    let buried = 0;
    expect(await the().read(key, 60_000, () => (buried += 1))).toBeUndefined();
    expect(buried).toBe(0);
    expect((await the().lease(key, 1, holder(), terms(5_000, 0))).kind).toBe('gone');
    expect(await the().renew(key, mine, 5_000)).toBe(false);
    expect(await the().tombstone(key, 60_000)).toBe(false);
    expect(await the().end(key)).toBe(false);
    expect(await the().reclaim(key)).toBeUndefined();
    expect(await the().create(key, entry, 60_000)).toBe(false);
    expect(
      await the().replace(key, { ...entry, generation: 2 }, { generation: 1, holder: mine }),
    ).toBe('passed_on');
  });

  test('lends again what was given back unspent, after the pause', async () => {
    const { key } = await begin();
    const mine = holder();
    await the().lease(key, 1, mine, terms(5_000, 0));
    await the().release(key, mine, 150);
    expect((await the().lease(key, 1, holder(), terms(5_000, 0))).kind).toBe('busy');
    await pass(200);
    expect((await the().lease(key, 1, holder(), terms(5_000, 0))).kind).toBe('acquired');
  });

  test('a renewed lease outlives its first end; a stranger cannot renew it', async () => {
    const { key } = await begin();
    const mine = holder();
    await the().lease(key, 1, mine, terms(150, 0));
    expect(await the().renew(key, mine, 5_000)).toBe(true);
    expect(await the().renew(key, holder(), 5_000)).toBe(false);
    await pass(200);
    expect((await the().lease(key, 1, holder(), terms(150, 0))).kind).toBe('busy');
  });

  test('a lease on an ended entry says so', async () => {
    expect((await the().lease(key(), 1, holder(), terms(1_000, 0))).kind).toBe('gone');
  });

  test('lists what was noted under a user and a sid, and forgets what is taken off', async () => {
    const place = { user: key(), sid: key() };
    await the().index(place, 'one', Buffer.from([1, 0, 2]), 60_000);
    await the().index(place, 'two', Buffer.from('facts'), 60_000);
    expect([...(await the().ofUser(place.user)).keys()].sort()).toEqual(['one', 'two']);
    expect((await the().ofUser(place.user)).get('one')).toEqual(Buffer.from([1, 0, 2]));
    await the().unindex(place.user, ['one']);
    expect([...(await the().ofUser(place.user)).keys()]).toEqual(['two']);
    const { user } = place;
    expect(await the().ofSid(place.sid)).toEqual([
      { user, key: 'one' },
      { user, key: 'two' },
    ]);
    expect(await the().ofSid(key())).toEqual([]);
  });

  describe('an entry ended from elsewhere', () => {
    test('is gone for every verb, and what it held is taken once, as it was', async () => {
      const { key, entry } = await begin();
      const mine = holder();
      const second = { ...entry, generation: 2, sealed: Buffer.from('the second generation') };
      await the().replace(key, second, { generation: 1 });
      await the().lease(key, 2, mine, terms(5_000, 0));
      expect(await the().reclaim(key)).toBeUndefined();
      expect(await the().tombstone(key, 60_000)).toBe(true);
      expect(await the().tombstone(key, 60_000)).toBe(false);
      let told = 0;
      expect(await the().read(key, 60_000, () => (told += 1))).toBeUndefined();
      expect(told).toBe(1);
      for (const generation of [0, 1, 2]) {
        expect(
          await the().replace(key, { ...entry, generation: 3 }, { generation, holder: mine }),
        ).toBe('gone');
        expect(await the().replace(key, { ...entry, generation: 3 }, { generation })).toBe('gone');
        expect((await the().lease(key, generation, holder(), terms(5_000, 60_000))).kind).toBe(
          'gone',
        );
      }
      expect(await the().renew(key, mine, 5_000)).toBe(false);
      await the().release(key, mine, 1_000);
      expect(await the().create(key, entry, 60_000)).toBe(false);
      const taken = await Promise.all(Array.from({ length: 10 }, async () => the().reclaim(key)));
      expect(taken.filter((each) => each !== undefined)).toEqual([second]);
      expect(await the().read(key, 0, () => (told += 1))).toBeUndefined();
      expect(told).toBe(1);
    });

    test('leaves nothing once its own browser ends it too', async () => {
      const { key } = await begin();
      await the().tombstone(key, 60_000);
      expect(await the().end(key)).toBe(false);
      expect(await the().reclaim(key)).toBeUndefined();
    });

    test('keeps what it held no longer than it would have lived, nor than was said', async () => {
      const [idle, said, absolute] = [
        await begin(600_000, 90_000),
        await begin(600_000, 600_000),
        await begin(90_000, 600_000),
      ];
      for (const { key } of [idle, absolute]) await the().tombstone(key, 600_000);
      await the().tombstone(said.key, 90_000);
      await the().read(idle.key, 600_000);
      await pass(90_001);
      for (const { key } of [idle, said, absolute])
        expect(await the().reclaim(key)).toBeUndefined();
    });

    test('before it was written cannot begin any more, and holds nothing', async () => {
      const name = key();
      expect(await the().tombstone(name, 60_000)).toBe(false);
      const now = await the().now();
      expect(
        await the().create(
          name,
          { generation: 1, endsAt: now + 60_000, createdAt: now, sealed: Buffer.from('late') },
          60_000,
        ),
      ).toBe(false);
      expect(await the().read(name)).toBeUndefined();
      expect(await the().reclaim(name)).toBeUndefined();
    });
  });

  test('tells whether a name was used, without using it', async () => {
    const mark = key();
    expect([await the().isConsumed(mark), await the().isConsumed(mark)]).toEqual([false, false]);
    await the().consumeOnce(mark, 60_000);
    expect(await the().isConsumed(mark)).toBe(true);
    await pass(60_001);
    expect(await the().isConsumed(mark)).toBe(false);
  });

  test('says yes once to a name, until its time is over', async () => {
    const mark = key();
    expect(await the().consumeOnce(mark, 60_000)).toBe(true);
    expect(await the().consumeOnce(mark, 60_000)).toBe(false);
    await pass(60_001);
    expect(await the().consumeOnce(mark, 60_000)).toBe(true);
  });
});

test('a lease holds no longer than it was given for when the clock is set back', async () => {
  let clock = 10_000_000;
  const store = createMemoryStore(() => clock);
  await store.create(
    'one',
    { generation: 1, endsAt: 99_000_000, createdAt: clock, sealed: Buffer.from('x') },
    60_000_000,
  );
  await store.lease('one', 1, holder(), terms(5_000, 30_000));
  clock -= 3_600_000;
  expect(await store.lease('one', 1, holder(), terms(5_000, 30_000))).toMatchObject({
    kind: 'busy',
    waitMs: 5_000,
  });
  clock += 5_000;
  expect((await store.lease('one', 1, holder(), terms(5_000, 30_000))).kind).toBe('acquired');
  store.close();
});

test('a lease in Redis that reaches further than it was given for, since the clock was set back, is cut to that', async () => {
  const store = createRedisStore(clock.redis);
  const now = await store.now();
  await store.create(
    'back',
    { generation: 1, endsAt: now + 60_000, createdAt: now, sealed: Buffer.from('x') },
    60_000,
  );
  await store.lease('back', 1, holder(), terms(3_600_000, 30_000));
  expect(await store.lease('back', 1, holder(), terms(50, 30_000))).toMatchObject({
    kind: 'busy',
    waitMs: 50,
  });
  await pass(100);
  expect((await store.lease('back', 1, holder(), terms(50, 30_000))).kind).toBe('acquired');
});

test('a hundred simultaneous askers in Redis get one lease', async () => {
  const store = createRedisStore(clock.redis);
  const now = await store.now();
  await store.create(
    'many',
    { generation: 1, endsAt: now + 60_000, createdAt: now, sealed: Buffer.from('x') },
    60_000,
  );
  const answers = await Promise.all(
    Array.from({ length: 100 }, async () => store.lease('many', 1, holder(), terms(5_000, 0))),
  );
  expect(answers.filter(({ kind }) => kind === 'acquired')).toHaveLength(1);
});

describe('the lists in Redis', () => {
  const facts = Buffer.from('facts');
  const left = async (name: string): Promise<number> => Number(await redis.command('PTTL', name));

  test('have an expiry from the first moment, which a shorter-lived session never cuts', async () => {
    const store = createRedisStore(clock.redis);
    const place = { user: key(), sid: key() };
    await store.index(place, 'long', facts, 60_000);
    await store.index(place, 'short', facts, 1_000);
    for (const name of [`user:${place.user}`, `sid:${place.sid}`])
      expect(await left(name)).toBeGreaterThan(50_000);
    await store.index(place, 'longer', facts, 120_000);
    for (const name of [`user:${place.user}`, `sid:${place.sid}`])
      expect(await left(name)).toBeGreaterThan(110_000);
  });

  test('lose the names of sessions that are over by themselves, as new ones come', async () => {
    const store = createRedisStore(clock.redis);
    const place = { user: key(), sid: key() };
    await store.index(place, 'alive', facts, 60_000);
    await Promise.all(
      Array.from({ length: 200 }, async (_, i) =>
        store.index(place, `old-${String(i)}`, facts, 800),
      ),
    );
    expect(await store.ofUser(place.user)).toHaveProperty('size', 201);
    await pass(801);
    for (let i = 0; i < 150; i += 1) await store.index(place, 'alive', facts, 60_000);
    const names = [...(await store.ofUser(place.user)).keys()];
    expect(names).toContain('alive');
    expect(names.length).toBeLessThan(20);
    expect(await store.ofSid(place.sid)).toEqual([{ user: place.user, key: 'alive' }]);
  });
});

test('an entry in Redis that nobody reads is gone by its own clock', async () => {
  const store = createRedisStore(redis);
  const endsAt = (await store.now()) + 600_000;
  await store.create('idle', { generation: 1, endsAt, createdAt: 0, sealed: Buffer.from('x') }, 50);
  expect(await until(async () => (await store.read('idle')) === undefined)).toBe(true);
});

test('a lease in Redis is over by its own clock', async () => {
  const store = createRedisStore(redis);
  const endsAt = (await store.now()) + 600_000;
  const entry = { generation: 1, endsAt, createdAt: 0, sealed: Buffer.from('x') };
  await store.create('leased', entry, 600_000);
  expect((await store.lease('leased', 1, holder(), terms(50, 60_000))).kind).toBe('acquired');
  const again = async () => (await store.lease('leased', 1, holder(), terms(50, 60_000))).kind;
  expect(await until(async () => (await again()) === 'acquired')).toBe(true);
});

test('a Redis that takes no more data still ends sessions from elsewhere', async () => {
  const full = await startRedis();
  const other = createRedis({ url: full.url }, quiet);
  const store = createRedisStore(other);
  try {
    const now = await store.now();
    await store.create(
      'one',
      { generation: 1, endsAt: now + 60_000, createdAt: now, sealed: Buffer.from('x') },
      60_000,
    );
    await other.command('CONFIG', 'SET', 'maxmemory', '1');
    await expect(other.command('SET', 'more', 'data')).rejects.toMatchObject({
      code: 'store_unavailable',
    });
    expect(await store.tombstone('one', 60_000)).toBe(true);
    expect(await store.tombstone('none', 60_000)).toBe(false);
    expect(await store.read('one')).toBeUndefined();
  } finally {
    await other.close();
    await full.stop();
  }
});
