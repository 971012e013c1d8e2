import type { Clock } from './clock.ts';

/**
 * A published limit: `limit` requests, refilled evenly over `windowSeconds`. Bursts up to `burst`
 * (default: `limit`).
 */
export interface Limit {
  limit: number;
  windowSeconds: number;
  burst?: number;
}

/** What a bucket says to one request; the numbers are those of Auth0's headers. */
export interface Drawn {
  allowed: boolean;
  limit: number;
  remaining: number;
  /** UNIX time in whole seconds at which the bucket is full again: `x-ratelimit-reset`. */
  resetAt: number;
  /** Whole seconds until one request fits again, at least 1: `retry-after`. */
  retryAfter: number;
}

/** Token buckets by key, on tenant time. */
export interface Buckets {
  /** Looks without taking. */
  look(key: string, limit: Limit): Drawn;
  /** Takes one when there is one. */
  take(key: string, limit: Limit): Drawn;
  clear(): void;
}

interface Level {
  tokens: number;
  at: number;
}

/**
 * Auth0's algorithm (rate-limit policy): token buckets, refilled by the millisecond for limits per
 * second and by the second for limits per minute or hour. Strict: one request too many is refused.
 */
export function createBuckets(clock: Clock): Buckets {
  const levels = new Map<string, Level>();
  const levelNow = (key: string, { limit, windowSeconds, burst = limit }: Limit): Level => {
    const step = windowSeconds > 1 ? 1000 : 1;
    const now = Math.floor(clock.now() / step) * step;
    const last = levels.get(key);
    if (last === undefined) return { tokens: burst, at: now };
    const refill = (Math.max(0, now - last.at) * limit) / (windowSeconds * 1000);
    return { tokens: Math.min(burst, last.tokens + refill), at: now };
  };
  const drawn = (
    level: Level,
    allowed: boolean,
    { limit, windowSeconds, burst = limit }: Limit,
  ): Drawn => {
    const secondsFor = (tokens: number): number =>
      (Math.max(0, tokens - level.tokens) * windowSeconds) / limit;
    return {
      allowed,
      limit: burst,
      remaining: Math.floor(level.tokens + 1e-9),
      resetAt: Math.ceil(level.at / 1000 + secondsFor(burst)),
      retryAfter: Math.max(1, Math.ceil(secondsFor(1))),
    };
  };
  return {
    look(key, limit) {
      const level = levelNow(key, limit);
      return drawn(level, level.tokens + 1e-9 >= 1, limit);
    },
    take(key, limit) {
      const level = levelNow(key, limit);
      const allowed = level.tokens + 1e-9 >= 1;
      if (allowed) level.tokens -= 1;
      levels.set(key, level);
      if (levels.size > 200_000) levels.delete(levels.keys().next().value ?? '');
      return drawn(level, allowed, limit);
    },
    clear: () => {
      levels.clear();
    },
  };
}
