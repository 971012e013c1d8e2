import type { Redis } from '../redis/client.ts';
import { createSeal } from '../session/seal.ts';
import type { AccountParts } from './account.ts';
import { createMemoryKept } from './kept-memory.ts';
import { createRedisKept } from './kept-redis.ts';
import type { Caller } from './parts.ts';

/** Makes the place where answers are kept for `seconds`: in Redis for all gateways, else in this process; for 0 there is none. */
export const createKeep = (options: {
  readonly redis: Redis | undefined;
  readonly secrets: readonly string[];
  readonly seconds: number;
}): Pick<AccountParts<Caller & { readonly vault: Buffer }>, 'keep'> => {
  const { redis, secrets, seconds } = options;
  if (seconds === 0) return {};
  const store = redis === undefined ? createMemoryKept() : createRedisKept(redis);
  const seal = createSeal(secrets, 'kept answers');
  return { keep: { store, seal, forMs: seconds * 1000, secretOf: ({ vault }) => vault } };
};
