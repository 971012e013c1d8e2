import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Failure } from '../http/errors.ts';
import type { Redis } from '../redis/client.ts';
import { createRecentCache } from '../session/recent-cache.ts';

const lua = readFileSync(new URL('attempts.lua', import.meta.url), 'utf8');
const windowMs = 300_000;
const mostInMemory = 100_000;

/**
 * How often each thing may be tried in five minutes; `address` stands for a household or a network,
 * the others for one account or one sign-in.
 */
export const attemptLimits = {
  address: 60,
  password: 10,
  code: 10,
  message: 5,
  poll: 150,
} as const;

/** Counts attempts, on all gateways together where there is a Redis. */
export interface Attempts {
  /**
   * Counts one more; throws Failure `too_many_attempts` with `Retry-After` when there were too
   * many. `name` is kept as a keyed hash only.
   */
  take(kind: keyof typeof attemptLimits, name: string): Promise<void>;
}

/**
 * Makes the counters; `secret` keys the hash, so nobody who reads Redis can tell whose they are.
 */
export const createAttempts = (options: {
  secret: string;
  redis: Redis | undefined;
  now?: () => number;
}): Attempts => {
  const { secret, redis, now = Date.now } = options;
  const take = redis === undefined ? inMemory(now) : inRedis(redis);
  return {
    async take(kind, name) {
      const hash = createHmac('sha256', secret)
        .update(`my-account-bff attempts\0${kind}\0${name}`)
        .digest('base64url');
      const waitMs = await take(`attempts:${kind}:${hash}`, attemptLimits[kind]);
      if (waitMs > 0)
        throw new Failure('too_many_attempts', {
          headers: { 'Retry-After': String(Math.ceil(waitMs / 1000)) },
        });
    },
  };
};

type Take = (key: string, limit: number) => Promise<number>;

const inRedis = (redis: Redis): Take => {
  const run = redis.script(lua, { allowOom: false, keys: ['string'] });
  return async (key, limit) => Number(await run([key], [limit, windowMs]));
};

// The same as the script. When full, counters that began first and were not asked for since go.
const inMemory = (now: () => number): Take => {
  const counters = createRecentCache<{ seen: number; readonly endsAt: number }>(
    mostInMemory / 2,
    windowMs,
  );
  return async (key, limit) => {
    const at = now();
    const known = counters.get(key);
    const counter =
      known !== undefined && known.endsAt > at ? known : { seen: 0, endsAt: at + windowMs };
    if (counter.seen >= limit) return Promise.resolve(counter.endsAt - at);
    if (counter !== known) counters.set(key, counter);
    counter.seen += 1;
    return Promise.resolve(0);
  };
};
