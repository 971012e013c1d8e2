import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createRedis, type Redis } from '../../src/gateway/redis/client.ts';
import { createRedisStore } from '../../src/gateway/session/redis-store.ts';
import { until } from '../helpers/until.ts';
import { startRedis, type RedisServer } from '../helpers/redis.ts';
import { startRelay } from '../helpers/relay.ts';

// A failover with its parts in hand: the gateway's address leads to the primary, and later to the
// replica. Nothing here may end because a wait is over: it is longer than any test.
const waitMs = 600_000;
const quiet = { info: () => undefined, warn: () => undefined };
let ends: (() => Promise<unknown>)[] = [];
let primary: RedisServer;
let replica: RedisServer;
let relay: Awaited<ReturnType<typeof startRelay>>;
let redis: Redis;
let [atPrimary, atReplica]: (Redis | undefined)[] = [];

const open = async (url: string, more = {}): Promise<Redis> => {
  const opened = createRedis({ url, keyPrefix: '', ...more }, quiet);
  ends.push(async () => opened.close());
  expect(await opened.opened(60_000)).toBe(true);
  return opened;
};
const follow = async (): Promise<void> => {
  await atReplica?.command('REPLICAOF', '127.0.0.1', primary.port);
  expect(
    await until(async () =>
      /state=online/.test(String(await atPrimary?.command('INFO', 'replication'))),
    ),
  ).toBe(true);
};
/** The replica becomes a primary of its own; the gateway does not know it yet, and writes to the old one. */
const promote = async (): Promise<void> => {
  await atReplica?.command('REPLICAOF', 'NO', 'ONE');
  expect(
    await until(async () =>
      /connected_slaves:0/.test(String(await atPrimary?.command('INFO', 'replication'))),
    ),
  ).toBe(true);
};
const switchOver = async (): Promise<void> => {
  relay.target(replica.port);
  relay.mend();
  expect(await until(async () => (await redis.command('PING')) === 'PONG')).toBe(true);
};
/** What became of a promise so far, after the server has been asked a few things more. */
const sofar = async (promise: Promise<unknown>): Promise<string> => {
  let state = 'pending';
  promise.then(
    () => (state = 'done'),
    () => (state = 'failed'),
  );
  for (let i = 0; i < 20; i += 1) await atPrimary?.command('PING');
  return state;
};

beforeEach(async () => {
  const atOnce = ['--repl-diskless-sync-delay', '0'];
  [primary, replica] = await Promise.all([startRedis(atOnce), startRedis(atOnce)]);
  relay = await startRelay(primary.port);
  ends = [async () => primary.stop(), async () => replica.stop(), async () => relay.close()];
  [atPrimary, atReplica] = [await open(primary.url), await open(replica.url)];
});
afterEach(async () => {
  replica.thaw();
  for (const end of ends.reverse()) await end();
});

test('waits for the replica, however many ask, and not a moment longer', async () => {
  await follow();
  redis = await open(`redis://127.0.0.1:${relay.port}`, { waitMs });
  replica.freeze();
  await redis.command('SET', 'a', 1);
  const both = Promise.all([redis.replicated('a'), redis.replicated('b')]);
  expect(await sofar(both)).toBe('pending');
  replica.thaw();
  await both;
  expect(await atReplica?.command('GET', 'a')).toBe('1');
});

test('waits for nobody where there is no replica', async () => {
  redis = await open(`redis://127.0.0.1:${relay.port}`, { waitMs });
  await redis.replicated('a');
  await redis.replicated('a');
});

test('a replica that went and did not come back is waited for once, so long as was said', async () => {
  await follow();
  redis = await open(`redis://127.0.0.1:${relay.port}`, { waitMs: 300 });
  await redis.replicated('a');
  await promote();
  await redis.replicated('a');
  expect(await sofar(redis.replicated('a'))).toBe('done');
});

test('what was written to the old primary after the new one was made fails, for all who wait', async () => {
  await follow();
  redis = await open(`redis://127.0.0.1:${relay.port}`, { waitMs });
  await redis.replicated('a');
  await promote();
  await redis.command('SET', 'a', 1);
  const first = redis.replicated('a');
  expect(await sofar(first)).toBe('pending');
  // It has to wait until the first is over, and by then both connections lead to the new primary.
  const second = redis.replicated('a');
  expect(await sofar(second)).toBe('pending');
  await switchOver();
  const failed = { code: 'store_unavailable' };
  await Promise.all([
    expect(first).rejects.toMatchObject(failed),
    expect(second).rejects.toMatchObject(failed),
  ]);
  expect(await redis.command('GET', 'a')).toBe(null);
  await redis.replicated('a');
});

test('a renewal that the failover undid is said to have failed, and can be written again; an end is made again by itself', async () => {
  await follow();
  redis = await open(`redis://127.0.0.1:${relay.port}`, { waitMs });
  const store = createRedisStore(redis);
  const entry = {
    generation: 1,
    endsAt: Date.now() + 600_000,
    createdAt: Date.now(),
    sealed: Buffer.from('one'),
  };
  const holder = Buffer.from('12345678');
  for (const key of ['renewed', 'ended'])
    expect(await store.create(key, entry, 600_000)).toBe(true);
  expect(
    await store.lease('renewed', 1, holder, { leaseMs: 600_000, leewayMs: 0, writeMs: 600_000 }),
  ).toMatchObject({ kind: 'acquired' });
  await redis.replicated('session:renewed');
  await promote();
  const next = { ...entry, generation: 2, sealed: Buffer.from('two') };
  const renewal = store.replace('renewed', next, { generation: 1, holder });
  const end = store.end('ended');
  expect(await sofar(Promise.race([renewal, end]))).toBe('pending');
  await switchOver();
  await expect(renewal).rejects.toMatchObject({ code: 'store_unavailable' });
  expect(await store.replace('renewed', next, { generation: 1, holder })).toBe('replaced');
  expect(await store.read('renewed')).toMatchObject({ entry: { generation: 2 } });
  expect(await end).toBe(true);
  expect(await store.read('ended')).toBe(undefined);
});
