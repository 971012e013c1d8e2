import type { Redis } from '../../src/gateway/redis/client.ts';

// Every expiry comes nearer by that much; what would have expired by then is gone.
const age = `
for _, key in ipairs(redis.call('KEYS', '*')) do
  local left = redis.call('PTTL', key)
  if left >= 0 then redis.call('PEXPIRE', key, left - ARGV[1]) end
end`;

/**
 * Returns the same Redis, whose scripts read their time from a key that `set` writes, in ms: only the
 * clock is faked. `pass` lets time go by on that clock, and for what expires. Keys must have no prefix.
 */
export function withClock(redis: Redis): {
  redis: Redis;
  set(ms: number): Promise<void>;
  pass(ms: number): Promise<void>;
} {
  const read = "cjson.decode(redis.call('GET', 'clock'))";
  let now = 0;
  const set = async (ms: number): Promise<void> => {
    now = ms;
    const seconds = Math.floor(ms / 1_000);
    await redis.command('SET', 'clock', JSON.stringify([seconds, (ms - seconds * 1_000) * 1_000]));
  };
  return {
    redis: {
      ...redis,
      script: (lua, options) => {
        if (!lua.includes("redis.call('TIME')"))
          throw new Error('the script does not ask for the time');
        return redis.script(lua.replaceAll("redis.call('TIME')", read), options);
      },
    },
    set,
    async pass(ms) {
      await redis.command('EVAL', age, 0, ms);
      await set(now + ms);
    },
  };
}
