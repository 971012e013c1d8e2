import { readFileSync } from 'node:fs';
import type { Redis } from '../redis/client.ts';
import type { Argument } from '../redis/batch.ts';
import { meansOutOfMemory } from '../redis/client.ts';
import { retainMs, writeLastsMs } from './store.ts';
import type { CacheEntry, CacheStore } from './store.ts';

const lua = readFileSync(new URL('store.lua', import.meta.url), 'utf8');

const bytes = (value: unknown): Buffer =>
  value instanceof Uint8Array
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    : Buffer.alloc(0);

/** Caches answers in Redis, shared by all gateways: one call per step. */
export const createRedisCache = (redis: Redis): CacheStore => {
  // When Redis is full a write still says that it begins and ends: what is kept must never be older than it. Nothing more is kept then.
  const note = redis.script(lua, { replies: 'bytes', keys: ['hash'] });
  const fill = redis.script(lua, { replies: 'bytes', allowOom: false, keys: ['hash'] });
  const call = async (namespace: string, verb: string, ...args: Argument[]): Promise<unknown[]> => {
    const reply: unknown = await (verb === 'put' ? fill : note)(
      [`kept:${namespace}`],
      [verb, retainMs, ...args],
    );
    return Array.isArray(reply) ? (reply as unknown[]) : [];
  };
  const answer = (storedAt: unknown, sealed: unknown): CacheEntry | undefined =>
    storedAt === undefined ? undefined : { storedAt: Number(storedAt), sealed: bytes(sealed) };

  return {
    async get(namespace, name, pipeline) {
      const [epoch, now, storedAt, sealed] = (await note(
        [`kept:${namespace}`],
        ['get', retainMs, name],
        pipeline,
      )) as unknown[];
      return { epoch: Number(epoch), now: Number(now), entry: answer(storedAt, sealed) };
    },
    async names(namespace, prefix) {
      return new Set((await call(namespace, 'names', prefix)).map(String));
    },
    async put(namespace, name, epoch, sealed) {
      const reply = await call(namespace, 'put', name, epoch, sealed).catch((failure: unknown) => {
        if (meansOutOfMemory(failure)) return ['open', epoch, 0];
        throw failure;
      });
      const [word, , now, storedAt, newer] = reply;
      const kind = String(word);
      return {
        kind: kind === 'put' || kind === 'open' ? kind : 'moved',
        now: Number(now),
        entry: answer(storedAt, newer),
      };
    },
    async beginWrite(namespace, prefix) {
      const [epoch, ...rest] = await call(namespace, 'begin', prefix, writeLastsMs);
      const answers = new Map<string, Buffer>();
      for (let i = 0; i + 1 < rest.length; i += 2) answers.set(String(rest[i]), bytes(rest[i + 1]));
      return { epoch: Number(epoch), answers };
    },
    async endWrite(namespace, { epoch, how, answers }) {
      await call(namespace, 'end', epoch, how, ...[...answers].flat());
    },
  };
};
