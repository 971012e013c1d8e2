import { randomBytes } from 'node:crypto';
import type { Redis } from '../redis/client.ts';

/** Where the gateways on one Redis are counted. */
export const GATEWAYS_KEY = '{budget}:gateways';

const BEAT_MS = 10_000;
const SEEN_SECONDS = 60;
// What is no count of gateways is not believed: it divides what each may spend alone.
const MOST = 10_000;
const COUNT = `
local now = tonumber(redis.call('TIME')[1])
return function(KEYS, ARGV)
  redis.call('ZADD', KEYS[1], now, ARGV[1])
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ${SEEN_SECONDS})
  redis.call('EXPIRE', KEYS[1], ${SEEN_SECONDS * 2})
  return redis.call('ZCARD', KEYS[1])
end`;

/** The gateways on one Redis. */
export interface Gateways {
  /** How many gateways shared this Redis within the last minute, as last heard; at least one. */
  seen(): number;
  /** Told by every decision, so that one who has just come is counted at once. */
  heard(count: number): void;
  close(): Promise<void>;
}

/** Tells the others that this gateway lives, every ten seconds, and counts them: the number to divide by when Redis is gone. */
export function countGateways(redis: Redis): Gateways {
  const count = redis.script(COUNT, { keys: ['zset'] });
  const self = randomBytes(9).toString('base64url');
  let seen = 1;
  const heard = (count: number) => {
    if (Number.isSafeInteger(count) && count >= 1 && count <= MOST) seen = count;
  };
  const beat = () => {
    count([GATEWAYS_KEY], [self]).then(
      (number) => {
        heard(Number(number));
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
      if (redis.ready()) await redis.command('ZREM', GATEWAYS_KEY, self).catch(() => undefined);
    },
  };
}
