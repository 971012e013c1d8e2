import type { Redis } from '../../src/gateway/redis/client.ts';

/** The same Redis, whose scripts read their time from a key that `set` writes, in ms: only the clock is faked. Keys must have no prefix. */
export function withClock(redis: Redis): { redis: Redis; set(ms: number): Promise<void> } {
  const read = "cjson.decode(redis.call('GET', 'clock'))";
  return {
    redis: {
      ...redis,
      script: (lua, options) => {
        if (!lua.includes("redis.call('TIME')")) throw new Error('the script does not ask for the time');
        return redis.script(lua.replaceAll("redis.call('TIME')", read), options);
      },
    },
    async set(ms) {
      const seconds = Math.floor(ms / 1_000);
      await redis.command('SET', 'clock', JSON.stringify([seconds, (ms - seconds * 1_000) * 1_000]));
    },
  };
}
