import { readFileSync } from 'node:fs';
import type { Redis } from '../redis/client.ts';
import { readEntry, writeEntry, type Found, type Lease, type Store } from './store.ts';

const lua = readFileSync(new URL('store.lua', import.meta.url), 'utf8');

/** Keeps session entries in Redis, shared by all gateways; every operation throws Failure `store_unavailable` when Redis does not answer in time. */
export const createRedisStore = (redis: Redis): Store => {
  // It changes entries that are there and makes none: a refresh goes on when Redis is full, or its new token would be lost.
  const run = redis.script(lua, 'bytes');
  const call = async (key: string, ...args: (string | number | Buffer)[]): Promise<unknown[]> =>
    (await run([`session:${key}`], args)) as unknown[];
  const word = (reply: unknown[]): string => String(reply[0]);
  const found = ([, value, now, left]: unknown[]): Found | undefined => {
    const entry = value instanceof Uint8Array ? readEntry(Buffer.from(value)) : undefined;
    return entry && { entry, now: Number(now), idleLeftMs: Number(left) };
  };

  return {
    async now() {
      return Number(await run(['session:clock'], ['now']));
    },
    async create(key, entry, idleMs) {
      await redis.command('SET', `session:${key}`, writeEntry(entry), 'PX', idleMs, 'NX');
    },
    async read(key, idleMs = 0) {
      const reply = await call(key, 'read', idleMs);
      return word(reply) === 'found' ? found(reply) : undefined;
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
      return Number(await redis.command('DEL', `session:${key}`)) > 0;
    },
    async enlist({ user, sid }, key, facts, forMs) {
      await redis.command('HSET', `user:${user}`, key, facts);
      await redis.command('PEXPIRE', `user:${user}`, forMs);
      if (sid === undefined) return;
      await redis.command('SADD', `sid:${sid}`, key);
      await redis.command('PEXPIRE', `sid:${sid}`, forMs);
    },
    async ofUser(user) {
      const reply = (await redis.commandBuffer('HGETALL', `user:${user}`)) as Buffer[];
      const pairs = new Map<string, Buffer>();
      for (let i = 0; i + 1 < reply.length; i += 2) {
        const [name, facts] = [reply[i], reply[i + 1]];
        if (name !== undefined && facts !== undefined) pairs.set(name.toString(), facts);
      }
      return pairs;
    },
    async ofSid(sid) {
      return (await redis.command('SMEMBERS', `sid:${sid}`)) as string[];
    },
    async delist(user, keys) {
      if (keys.length > 0) await redis.command('HDEL', `user:${user}`, ...keys);
    },
    async once(name, forMs) {
      return (await redis.command('SET', `once:${name}`, 1, 'PX', forMs, 'NX')) === 'OK';
    },
    close() {
      // The connection belongs to whoever made it.
    },
  };
};
