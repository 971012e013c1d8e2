import { afterEach, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { startRedis, type RedisServer } from '../helpers/redis.ts';
import { startRelay, type Relay } from '../helpers/relay.ts';
import { startWorld, type World } from '../helpers/world.ts';

let world: World | undefined;
let server: RedisServer | undefined;
let relay: Relay | undefined;
afterEach(async () => {
  await world?.close();
  await relay?.close();
  await server?.stop();
});

const methods = '/api/me/v1/authentication-methods';

// What each is called in a command of store.lua.
test.each([
  ['the right to spend a refresh token', '\r\nlease\r\n'],
  ['the new tokens', '\r\nreplace\r\n'],
])(
  'Redis grants or takes %s and its answer is lost: the token is spent once, and nobody is signed out',
  async (_what, verb) => {
    server = await startRedis();
    relay = await startRelay(server.port);
    world = await startWorld({
      settings: {
        REDIS_URL: `redis://127.0.0.1:${relay.port}`,
        RATE_LIMIT_USER_READ: '10000',
        RATE_LIMIT_USER_FACTORS_READ: '10000',
        READ_KEEP_SECONDS: '0',
      },
      tenant: { limits: { enforced: false }, tokens: { accessTokenSeconds: 7 } },
    });
    const person = world.person();
    await person.signIn();
    await sleep(7_100);
    relay.loseAnswerTo(verb);
    const first = await person.call('GET', methods);
    expect(relay.lost()).toBe(true);
    expect([200, 503]).toContain(first.status);
    // Longer than a lease that nobody gives back would hold.
    const until = performance.now() + 60_000;
    let good = 0;
    while (performance.now() < until && good < 3) {
      const answer = await person.call('GET', methods);
      expect([200, 503]).toContain(answer.status);
      if (answer.status === 200) good += 1;
      await sleep(100);
    }
    expect(good).toBe(3);
    const exchanges = world.tenant
      .requests()
      .filter(({ parameters }) => parameters?.['grant_type'] === 'refresh_token');
    expect(exchanges.map(({ status }) => status)).toEqual([200]);
  },
);
