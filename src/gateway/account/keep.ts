import type { Redis } from '../redis/client.ts';
import { createSeal } from '../session/seal.ts';
import { createMemoryIdempotency } from './idempotency-memory.ts';
import { createRedisIdempotency } from './idempotency-redis.ts';
import { createMemoryKept } from './kept-memory.ts';
import { createRedisKept } from './kept-redis.ts';
import type { Caller, Keep } from './parts.ts';

/** Makes the place where answers are kept for `seconds`, and outcomes of writes: in Redis for all gateways, else in this process. */
export const createKeep = (options: {
  readonly redis: Redis | undefined;
  readonly secrets: readonly string[];
  readonly seconds: number;
}): { readonly keep: Keep<Caller & { readonly vault: Buffer }> } => {
  const { redis, secrets, seconds } = options;
  const store = redis === undefined ? createMemoryKept() : createRedisKept(redis);
  const changes = redis === undefined ? createMemoryIdempotency() : createRedisIdempotency(redis);
  const seal = createSeal(secrets, 'kept answers');
  return { keep: { store, changes, seal, forMs: seconds * 1000, secretOf: ({ vault }) => vault } };
};
