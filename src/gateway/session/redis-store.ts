import { readFileSync } from 'node:fs';
import type { Redis } from '../redis/client.ts';
import type { Argument } from '../redis/batch.ts';
import {
  readEntry,
  readTombstone,
  writeEntry,
  type Found,
  type Lease,
  type Store,
} from './store.ts';

const text = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8');
const [entries, lists] = [text('store.lua'), text('index.lua')];
const endsAtBytes = 6;
// What is noted in a list and has not this form (see ticket.ts) is no session of ours.
const sessionKey = /^[\w-]{1,64}$/;
const sidName = /^([\w-]{1,64})\.([\w-]{1,64})$/;
const endings = 3;

/**
 * Keeps session entries in Redis, shared by all gateways; every operation throws Failure
 * `store_unavailable` when Redis does not answer in time.
 */
export const createRedisStore = (redis: Redis): Store => {
  // It changes entries that are there and makes none: a refresh goes on when Redis is full, or its
  // new token would be lost.
  const run = redis.script(entries, { replies: 'bytes', keys: ['string'] });
  const indexByUser = redis.script(lists, { allowOom: false, keys: ['hash'] });
  const indexBySid = redis.script(lists, { allowOom: false, keys: ['zset'] });
  // Another type under a key of ours is junk, and would be for ever: nothing is noted there.
  const listed = async (key: string, asked: Promise<unknown>): Promise<unknown[]> => {
    try {
      const reply = await asked;
      return Array.isArray(reply) ? (reply as unknown[]) : [];
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('WRONGTYPE'))) throw error;
      await redis.command('DEL', key);
      return [];
    }
  };
  const call = async (key: string, ...args: Argument[]): Promise<unknown[]> =>
    (await run([`session:${key}`], args)) as unknown[];
  const word = (reply: unknown[]): string => String(reply[0]);
  const found = ([, value, now, left]: unknown[]): Found | undefined => {
    const entry = value instanceof Buffer ? readEntry(value) : undefined;
    return entry && { entry, now: Number(now), idleLeftMs: Number(left) };
  };

  // What a failover must not undo: a token that is spent, its successor, an end.
  const secured = async (key: string): Promise<void> => redis.replicated(`session:${key}`);
  // An end is an end: it is repeated where a failover may have undone it.
  const ended = async (key: string, ...args: Argument[]): Promise<boolean> => {
    let was = false;
    for (let left = endings; ; left -= 1) {
      try {
        was = word(await call(key, ...args)) === 'done' || was;
        if (was) await secured(key);
        return was;
      } catch (failure) {
        if (left === 0) throw failure;
      }
    }
  };

  return {
    async now() {
      return Number(await run(['session:clock'], ['now']));
    },
    async create(key, entry, idleMs) {
      return (
        (await redis.command('SET', `session:${key}`, writeEntry(entry), 'PX', idleMs, 'NX')) ===
        'OK'
      );
    },
    async read(key, idleMs = 0, buried, chain) {
      const reply = (await run([`session:${key}`], ['read', idleMs], chain)) as unknown[];
      if (word(reply) === 'found') return found(reply);
      if (String(reply[1]) === 'buried') buried?.();
      return undefined;
    },
    async replace(key, entry, over) {
      const reply = await call(
        key,
        'replace',
        over.generation,
        over.holder ?? '',
        writeEntry(entry),
      );
      const outcome = word(reply);
      if (outcome === 'replaced') await secured(key);
      if (outcome === 'replaced' || outcome === 'stale' || outcome === 'held') return outcome;
      return String(reply[1]) === 'passed_on' ? 'passed_on' : 'gone';
    },
    async lease(key, generation, holder, { leaseMs, leewayMs, writeMs }): Promise<Lease> {
      const reply = await call(key, 'lease', generation, leaseMs, writeMs, holder, leewayMs);
      const kind = word(reply);
      if (kind === 'acquired') {
        await secured(key);
        return { kind, now: Number(reply[1]) };
      }
      if (kind === 'busy') {
        const since = Number(reply[2]);
        return { kind, waitMs: Number(reply[1]), sinceMs: since < 0 ? undefined : since };
      }
      if (kind === 'abandoned') return { kind, agoMs: Number(reply[1]) };
      const newer = kind === 'superseded' ? found(reply) : undefined;
      return newer === undefined ? { kind: 'gone' } : { kind: 'superseded', found: newer };
    },
    async abandon(key, generation, { leaseMs, writeMs }) {
      return word(await call(key, 'abandon', generation, leaseMs, writeMs)) === 'done';
    },
    async renew(key, holder, leaseMs) {
      return word(await call(key, 'renew', holder, leaseMs)) === 'done';
    },
    async release(key, holder, pauseMs) {
      await call(key, 'release', holder, pauseMs);
    },
    async end(key) {
      return ended(key, 'end');
    },
    async passOn(key, forMs) {
      return word(await call(key, 'pass on', forMs)) === 'done';
    },
    async tombstone(key, forMs) {
      return ended(key, 'tombstone', forMs);
    },
    async reclaim(key) {
      const [kind, value] = await call(key, 'reclaim');
      return String(kind) === 'taken' && value instanceof Uint8Array
        ? readTombstone(Buffer.from(value))
        : undefined;
    },
    async index({ user, sid }, key, facts, forMs) {
      await indexByUser([`user:${user}`], ['user', key, forMs, facts]);
      if (sid !== undefined) await indexBySid([`sid:${sid}`], ['sid', `${user}.${key}`, forMs]);
    },
    async ofUser(user) {
      const list = `user:${user}`;
      const reply = await listed(list, redis.commandBuffer('HGETALL', list));
      const pairs = new Map<string, Buffer>();
      for (let i = 0; i + 1 < reply.length; i += 2) {
        const [name, facts] = [reply[i], reply[i + 1]];
        if (!Buffer.isBuffer(name) || !Buffer.isBuffer(facts)) continue;
        const key = name.toString();
        if (sessionKey.test(key)) pairs.set(key, facts.subarray(endsAtBytes));
      }
      return pairs;
    },
    async ofSid(sid) {
      const list = `sid:${sid}`;
      const names = await listed(list, redis.command('ZRANGE', list, 0, -1));
      return names.flatMap((name) => {
        const [, user, key] = sidName.exec(String(name)) ?? [];
        return user === undefined || key === undefined ? [] : [{ user, key }];
      });
    },
    async unindex(user, keys) {
      const list = `user:${user}`;
      if (keys.length > 0) await listed(list, redis.command('HDEL', list, ...keys));
    },
    async consumeOnce(name, forMs) {
      return (await redis.command('SET', `once:${name}`, 1, 'PX', forMs, 'NX')) === 'OK';
    },
    async isConsumed(name) {
      return Number(await redis.command('EXISTS', `once:${name}`)) > 0;
    },
    close() {
      // The connection belongs to whoever made it.
    },
  };
};
