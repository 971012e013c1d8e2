import { readFileSync } from 'node:fs';
import type { Redis } from '../redis/client.ts';
import type { Argument } from '../redis/batch.ts';
import { leaseMs, unseenMs } from './idempotency-store.ts';
import type { Change, Claim, IdempotencyStore } from './idempotency-store.ts';

const lua = readFileSync(new URL('idempotency.lua', import.meta.url), 'utf8');

/** Remembers changes in Redis, for all gateways: one call for each step. */
export const createRedisIdempotency = (redis: Redis): IdempotencyStore => {
  // Also when Redis is full: a change that is not remembered could be made twice.
  const run = redis.script(lua, { replies: 'bytes', keys: ['hash'] });
  const call = async (
    { user, name }: Change,
    verb: string,
    ...args: Argument[]
  ): Promise<unknown[]> => {
    const reply: unknown = await run([`changes:${user}`], [verb, name, ...args]);
    return Array.isArray(reply) ? (reply as unknown[]) : [];
  };
  const readClaim = ([word, value]: unknown[]): Claim => {
    const kind = String(word);
    if (kind === 'claimed') return { kind, number: Number(value) };
    if (kind === 'done' && value instanceof Uint8Array) {
      return { kind, sealed: Buffer.from(value.buffer, value.byteOffset, value.byteLength) };
    }
    return { kind: kind === 'busy' || kind === 'other' || kind === 'full' ? kind : 'unknown' };
  };
  return {
    async claim(change) {
      const { area, explicit, fingerprint } = change;
      const forMs = explicit ? unseenMs.named : unseenMs.unnamed;
      return readClaim(
        await call(change, 'claim', area, explicit ? '1' : '0', fingerprint, leaseMs, forMs),
      );
    },
    async hold(change, number) {
      await call(change, 'hold', number, leaseMs);
    },
    async settle(change, number, end) {
      if (end.kind === 'forget') await call(change, 'forget', number);
      else if (end.kind === 'unknown') await call(change, 'unknown', number, end.rememberMs);
      else await call(change, 'done', number, end.rememberMs, end.sealed);
    },
  };
};
