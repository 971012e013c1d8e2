import type { Redis } from '../redis/client.ts';
import { createSeal, type Seal } from '../session/seal.ts';
import type { IdempotencyStore } from './idempotency-store.ts';
import { createMemoryIdempotency } from './memory-idempotency.ts';
import { createMemoryCache } from './memory-store.ts';
import { createRedisIdempotency } from './redis-idempotency.ts';
import { createRedisCache } from './redis-store.ts';
import type { CacheStore } from './store.ts';

/** Where answers and outcomes of changes are kept, sealed, and for how many milliseconds an answer is given again (0: never). */
export interface Cache {
  readonly store: CacheStore;
  readonly changes: IdempotencyStore;
  readonly seal: Seal;
  readonly freshMs: number;
}

/** Makes the cache: in Redis for all gateways, else in this process. */
export const createCache = (options: {
  readonly redis: Redis | undefined;
  readonly secrets: readonly string[];
  readonly seconds: number;
}): Cache => {
  const { redis, secrets, seconds } = options;
  return {
    store: redis === undefined ? createMemoryCache() : createRedisCache(redis),
    changes: redis === undefined ? createMemoryIdempotency() : createRedisIdempotency(redis),
    seal: createSeal(secrets, 'kept answers'),
    freshMs: seconds * 1000,
  };
};
