import { readFileSync } from 'node:fs';
import type { Redis } from '../redis/client.ts';
import type { Argument } from '../redis/batch.ts';
import { meansOutOfMemory } from '../redis/client.ts';
import { retainMs, writeLastsMs } from './kept.ts';
import type { KeptAnswer, KeptStore } from './kept.ts';

const lua = readFileSync(new URL('kept.lua', import.meta.url), 'utf8');

const bytes = (value: unknown): Buffer =>
  value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : Buffer.alloc(0);

/** Keeps answers in Redis, shared by all gateways: one call per step. */
export const createRedisKept = (redis: Redis): KeptStore => {
  // When Redis is full a write still says that it begins and ends: what is kept must never be older than it. Nothing more is kept then.
  const note = redis.script(lua, { replies: 'bytes', keys: ['hash'] });
  const fill = redis.script(lua, { replies: 'bytes', allowOom: false, keys: ['hash'] });
  const call = async (room: string, verb: string, ...args: Argument[]): Promise<unknown[]> => {
    const reply: unknown = await (verb === 'keep' ? fill : note)([`kept:${room}`], [verb, retainMs, ...args]);
    return Array.isArray(reply) ? (reply as unknown[]) : [];
  };
  const answer = (storedAt: unknown, sealed: unknown): KeptAnswer | undefined =>
    storedAt === undefined ? undefined : { storedAt: Number(storedAt), sealed: bytes(sealed) };

  return {
    async look(room, name, chain) {
      const [epoch, now, storedAt, sealed] = (await note([`kept:${room}`], ['look', retainMs, name], chain)) as unknown[];
      return { epoch: Number(epoch), now: Number(now), kept: answer(storedAt, sealed) };
    },
    async names(room, prefix) {
      return new Set((await call(room, 'names', prefix)).map(String));
    },
    async keep(room, name, epoch, sealed) {
      const reply = await call(room, 'keep', name, epoch, sealed).catch((failure: unknown) => {
        if (meansOutOfMemory(failure)) return ['open', epoch, 0];
        throw failure;
      });
      const [word, , now, storedAt, newer] = reply;
      const kind = String(word);
      return { kind: kind === 'kept' || kind === 'open' ? kind : 'moved', now: Number(now), kept: answer(storedAt, newer) };
    },
    async begin(room, prefix) {
      const [epoch, ...rest] = await call(room, 'begin', prefix, writeLastsMs);
      const answers = new Map<string, Buffer>();
      for (let i = 0; i + 1 < rest.length; i += 2) answers.set(String(rest[i]), bytes(rest[i + 1]));
      return { epoch: Number(epoch), answers };
    },
    async end(room, { epoch, how, answers }) {
      await call(room, 'end', epoch, how, ...[...answers].flat());
    },
  };
};
