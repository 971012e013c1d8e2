import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRedis, type Redis } from '../../../../src/gateway/redis/client.ts';
import { createMemoryStore } from '../../../../src/gateway/session/memory-store.ts';
import { createRedisStore } from '../../../../src/gateway/session/redis-store.ts';
import type { Entry, Store } from '../../../../src/gateway/session/store.ts';
import { startRedis, type RedisServer } from '../../../helpers/redis.ts';

const quiet = { info: () => undefined, warn: () => undefined };
let server: RedisServer;
let redis: Redis;
const stores = new Map<string, Store>();

beforeAll(async () => {
  server = await startRedis();
  redis = createRedis({ url: server.url }, quiet);
  stores.set('in Redis', createRedisStore(redis));
  stores.set('in memory', createMemoryStore());
});
afterAll(async () => {
  for (const store of stores.values()) store.close();
  await redis.close();
  await server.stop();
});

const holder = (): Buffer => randomBytes(8);
const key = (): string => randomBytes(16).toString('base64url');

describe.each(['in Redis', 'in memory'])('a store %s', (name) => {
  const the = (): Store => {
    const store = stores.get(name);
    if (store === undefined) throw new Error('no such store');
    return store;
  };
  const begin = async (endsInMs = 60_000, idleMs = 60_000): Promise<{ key: string; entry: Entry }> => {
    const now = await the().now();
    const entry = { generation: 1, endsAt: now + endsInMs, createdAt: now, sealed: Buffer.from([0, 255, 13, 10, 0, 7]) };
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
    await sleep(300);
    expect(await the().read(key, 60_000)).toBeUndefined();
  });

  test('ends an entry nobody reads, and a read with an idle time keeps it', async () => {
    const [left, kept] = [await begin(60_000, 300), await begin(60_000, 300)];
    for (let i = 0; i < 4; i += 1) {
      await sleep(120);
      expect(await the().read(kept.key, 300)).toBeDefined();
    }
    expect(await the().read(left.key)).toBeUndefined();
  });

  test('a look without an idle time does not keep an entry', async () => {
    const { key } = await begin(60_000, 300);
    await sleep(150);
    const found = await the().read(key);
    expect(found?.idleLeftMs).toBeLessThanOrEqual(180);
    await sleep(250);
    expect(await the().read(key)).toBeUndefined();
  });

  test('writes the next generation over the one it was made from, and over no other', async () => {
    const { key, entry } = await begin();
    const second = { ...entry, generation: 2, sealed: Buffer.from('second') };
    expect(await the().replace(key, second, { generation: 1 })).toBe('replaced');
    expect(await the().replace(key, { ...second, sealed: Buffer.from('late') }, { generation: 1 })).toBe('stale');
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
    expect((await the().lease(key, 1, first, 5_000, 0)).kind).toBe('yours');
    expect((await the().lease(key, 1, second, 5_000, 0)).kind).toBe('busy');
  });

  test('lets only the holder of the lease write', async () => {
    const { key, entry } = await begin();
    const mine = holder();
    await the().lease(key, 1, mine, 5_000, 0);
    expect(await the().replace(key, { ...entry, generation: 2 }, { generation: 1, holder: holder() })).toBe('stale');
    expect(await the().replace(key, { ...entry, generation: 2 }, { generation: 1, holder: mine })).toBe('replaced');
  });

  test('answers whoever asks for an old generation with the newer entry', async () => {
    const { key, entry } = await begin();
    const mine = holder();
    await the().lease(key, 1, mine, 5_000, 0);
    await the().replace(key, { ...entry, generation: 2, sealed: Buffer.from('new') }, { generation: 1, holder: mine });
    const lease = await the().lease(key, 1, holder(), 5_000, 0);
    expect(lease.kind === 'newer' ? lease.found.entry.sealed.toString() : lease.kind).toBe('new');
  });

  test('never lends a generation again whose holder vanished, except within the leeway', async () => {
    const { key } = await begin();
    await the().lease(key, 1, holder(), 50, 0);
    await sleep(100);
    expect((await the().lease(key, 1, holder(), 50, 0)).kind).toBe('lost');
    expect((await the().lease(key, 1, holder(), 50, 30_000)).kind).toBe('yours');
  });

  test('lends again what was given back unspent, after the pause', async () => {
    const { key } = await begin();
    const mine = holder();
    await the().lease(key, 1, mine, 5_000, 0);
    await the().settle(key, mine, 150);
    expect((await the().lease(key, 1, holder(), 5_000, 0)).kind).toBe('busy');
    await sleep(200);
    expect((await the().lease(key, 1, holder(), 5_000, 0)).kind).toBe('yours');
  });

  test('a renewed lease outlives its first end; a stranger cannot renew it', async () => {
    const { key } = await begin();
    const mine = holder();
    await the().lease(key, 1, mine, 150, 0);
    expect(await the().renew(key, mine, 5_000)).toBe(true);
    expect(await the().renew(key, holder(), 5_000)).toBe(false);
    await sleep(200);
    expect((await the().lease(key, 1, holder(), 150, 0)).kind).toBe('busy');
  });

  test('a lease on an ended entry says so', async () => {
    expect((await the().lease(key(), 1, holder(), 1_000, 0)).kind).toBe('gone');
  });

  test('lists what was noted under a user and a sid, and forgets what is taken off', async () => {
    const place = { user: key(), sid: key() };
    await the().enlist(place, 'one', Buffer.from([1, 0, 2]), 60_000);
    await the().enlist(place, 'two', Buffer.from('facts'), 60_000);
    expect([...(await the().ofUser(place.user)).keys()].sort()).toEqual(['one', 'two']);
    expect((await the().ofUser(place.user)).get('one')).toEqual(Buffer.from([1, 0, 2]));
    await the().delist(place.user, ['one']);
    expect([...(await the().ofUser(place.user)).keys()]).toEqual(['two']);
    expect([...(await the().ofSid(place.sid))].sort()).toEqual(['one', 'two']);
    expect(await the().ofSid(key())).toEqual([]);
  });

  test('says yes once to a name, until its time is over', async () => {
    const mark = key();
    expect(await the().once(mark, 150)).toBe(true);
    expect(await the().once(mark, 150)).toBe(false);
    await sleep(200);
    expect(await the().once(mark, 150)).toBe(true);
  });
});

test('a hundred simultaneous askers in Redis get one lease', async () => {
  const store = createRedisStore(redis);
  const now = await store.now();
  await store.create('many', { generation: 1, endsAt: now + 60_000, createdAt: now, sealed: Buffer.from('x') }, 60_000);
  const answers = await Promise.all(Array.from({ length: 100 }, async () => store.lease('many', 1, holder(), 5_000, 0)));
  expect(answers.filter(({ kind }) => kind === 'yours')).toHaveLength(1);
});
