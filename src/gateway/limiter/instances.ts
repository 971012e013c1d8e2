import { randomBytes } from 'node:crypto';
import type { Redis } from '../redis/client.ts';
import { limiterKeyPrefix, tagOf } from './redis-store.ts';

const BEAT_MS = 10_000;
const SEEN_SECONDS = 60;
// What is no count of gateways is not believed: it divides what each may spend by itself.
const MOST = 10_000;
const COUNT = `
local now = tonumber(redis.call('TIME')[1])
return function(KEYS, ARGV)
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ${SEEN_SECONDS})
  if ARGV[2] == 'leave' then
    redis.call('ZREM', KEYS[1], ARGV[1])
  else
    redis.call('ZADD', KEYS[1], now, ARGV[1])
    redis.call('EXPIRE', KEYS[1], ${SEEN_SECONDS * 2})
  end
  return redis.call('ZCARD', KEYS[1])
end`;

/** The gateways that share one tenant's limits on one Redis. */
export interface Instances {
  /** Returns how many there were within the last minute, as last heard; at least one. */
  seen(): number;
  /** Is told the count with every decision, so that one who has just come is counted at once. */
  heard(count: number): void;
  close(): Promise<void>;
}

/** Tells the others that this gateway lives, every ten seconds, and counts them: the number to divide by when Redis is gone. */
export function countInstances(redis: Redis, tenant: string): Instances {
  const count = redis.script(COUNT, { keyPrefix: limiterKeyPrefix, keys: ['zset'] });
  const keys = [`${tagOf(tenant)}:instances`];
  const self = randomBytes(9).toString('base64url');
  let seen = 1;
  const heard = (counted: number) => {
    if (Number.isSafeInteger(counted) && counted >= 1 && counted <= MOST) seen = counted;
  };
  const beat = () => {
    count(keys, [self, 'stay']).then(
      (counted) => {
        heard(Number(counted));
      },
      // Gone for now: the last number heard is the best there is.
      () => undefined,
    );
  };
  const timer = setInterval(beat, BEAT_MS);
  timer.unref();
  redis.onReady(beat);
  return {
    seen: () => seen,
    heard,
    async close() {
      clearInterval(timer);
      if (redis.ready()) await count(keys, [self, 'leave']).catch(() => undefined);
    },
  };
}
