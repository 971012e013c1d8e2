import { readFileSync } from 'node:fs';
import type { Redis } from '../redis/client.ts';
import type { Argument } from '../redis/batch.ts';
import { readEntry, readTombstone, writeEntry, type Found, type Lease, type Store } from './store.ts';

const text = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8');
const [entries, lists] = [text('store.lua'), text('enlist.lua')];
const endsAtBytes = 6;

/** Keeps session entries in Redis, shared by all gateways; every operation throws Failure `store_unavailable` when Redis does not answer in time. */
export const createRedisStore = (redis: Redis): Store => {
  // It changes entries that are there and makes none: a refresh goes on when Redis is full, or its new token would be lost.
  const run = redis.script(entries, { replies: 'bytes' });
  const enlist = redis.script(lists, { allowOom: false });
  const call = async (key: string, ...args: Argument[]): Promise<unknown[]> => (await run([`session:${key}`], args)) as unknown[];
  const word = (reply: unknown[]): string => String(reply[0]);
  const found = ([, value, now, left]: unknown[]): Found | undefined => {
    const entry = value instanceof Buffer ? readEntry(value) : undefined;
    return entry && { entry, now: Number(now), idleLeftMs: Number(left) };
  };

  return {
    async now() {
      return Number(await run(['session:clock'], ['now']));
    },
    async create(key, entry, idleMs) {
      return (await redis.command('SET', `session:${key}`, writeEntry(entry), 'PX', idleMs, 'NX')) === 'OK';
    },
    async read(key, idleMs = 0, buried, chain) {
      const reply = (await run([`session:${key}`], ['read', idleMs], chain)) as unknown[];
      if (word(reply) === 'found') return found(reply);
      if (String(reply[1]) === 'buried') buried?.();
      return undefined;
    },
    async replace(key, entry, over) {
      const outcome = word(await call(key, 'replace', over.generation, over.holder ?? '', writeEntry(entry)));
      return outcome === 'replaced' || outcome === 'stale' ? outcome : 'gone';
    },
    async lease(key, generation, holder, leaseMs, leewayMs): Promise<Lease> {
      const reply = await call(key, 'lease', generation, holder, leaseMs, leewayMs);
      const kind = word(reply);
      if (kind === 'yours') return { kind, now: Number(reply[1]) };
      if (kind === 'busy') return { kind, waitMs: Number(reply[1]) };
      if (kind === 'lost') return { kind, agoMs: Number(reply[1]) };
      const newer = kind === 'newer' ? found(reply) : undefined;
      return newer === undefined ? { kind: 'gone' } : { kind: 'newer', found: newer };
    },
    async renew(key, holder, leaseMs) {
      return word(await call(key, 'renew', holder, leaseMs)) === 'done';
    },
    async settle(key, holder, pauseMs) {
      await call(key, 'settle', holder, pauseMs);
    },
    async end(key) {
      return word(await call(key, 'end')) === 'done';
    },
    async bury(key, forMs) {
      return word(await call(key, 'bury', forMs)) === 'done';
    },
    async take(key) {
      const [kind, value] = await call(key, 'take');
      return String(kind) === 'taken' && value instanceof Uint8Array ? readTombstone(Buffer.from(value)) : undefined;
    },
    async enlist({ user, sid }, key, facts, forMs) {
      await enlist([`user:${user}`], ['user', key, forMs, facts]);
      if (sid !== undefined) await enlist([`sid:${sid}`], ['sid', `${user}.${key}`, forMs]);
    },
    async ofUser(user) {
      const reply = (await redis.commandBuffer('HGETALL', `user:${user}`)) as Buffer[];
      const pairs = new Map<string, Buffer>();
      for (let i = 0; i + 1 < reply.length; i += 2) {
        const [name, facts] = [reply[i], reply[i + 1]];
        if (name !== undefined && facts !== undefined) pairs.set(name.toString(), facts.subarray(endsAtBytes));
      }
      return pairs;
    },
    async ofSid(sid) {
      return ((await redis.command('ZRANGE', `sid:${sid}`, 0, -1)) as string[]).map((name) => {
        const [user = '', key = ''] = name.split('.');
        return { user, key };
      });
    },
    async delist(user, keys) {
      if (keys.length > 0) await redis.command('HDEL', `user:${user}`, ...keys);
    },
    async once(name, forMs) {
      return (await redis.command('SET', `once:${name}`, 1, 'PX', forMs, 'NX')) === 'OK';
    },
    async used(name) {
      return Number(await redis.command('EXISTS', `once:${name}`)) > 0;
    },
    close() {
      // The connection belongs to whoever made it.
    },
  };
};
