import { afterEach, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRedis } from '../../src/gateway/redis/client.ts';
import { startRedis, type RedisServer } from '../helpers/redis.ts';
import { until } from '../helpers/until.ts';
import { startWorld, type World } from '../helpers/world.ts';

let world: World | undefined;
let server: RedisServer | undefined;
afterEach(async () => {
  await world?.close();
  await server?.stop();
  world = undefined;
  server = undefined;
});

const methods = '/api/me/v1/authentication-methods';
const told: string[] = [];
const tell = (fields: object, message: string): void =>
  void told.push(`${JSON.stringify(fields)} ${message}`);
const log = { debug: tell, info: tell, warn: tell, error: tell };

const begin = async (flags: string[], settings: Record<string, string> = {}): Promise<World> => {
  told.length = 0;
  server = await startRedis(flags);
  world = await startWorld({
    gateways: 2,
    settings: {
      RATE_LIMIT_USER_READ: '10000',
      RATE_LIMIT_USER_FACTORS_READ: '10000',
      RATE_LIMIT_USER_WRITE: '10000',
      REDIS_URL: server.url,
      ...settings,
    },
    tenant: { limits: { enforced: false }, tokens: { accessTokenSeconds: 3 } },
    log,
  });
  return world;
};
/** Sets the memory Redis may have: a single byte is less than it holds, so it is full at once. */
const memory = async (bytes: number): Promise<void> => {
  const redis = createRedis(
    { url: server?.url ?? '' },
    { info: () => undefined, warn: () => undefined },
  );
  await redis.command('CONFIG', 'SET', 'maxmemory', bytes);
  await redis.close();
};
const scope =
  'openid profile email offline_access read:me:authentication_methods create:me:authentication_methods delete:me:authentication_methods';

test.each(['0', '30'])(
  'Redis full (noeviction, answers kept %s s): whoever is signed in reads, writes, refreshes and signs out; a sign-in is told to wait and is finished by a reload',
  async (keep) => {
    const at = await begin(['--maxmemory-policy', 'noeviction'], {
      READ_KEEP_SECONDS: keep,
      AUTH0_SCOPE: scope,
    });
    const [person, leaving, newcomer] = [at.person(), at.person(), at.person()];
    await person.signIn();
    await leaving.signIn();
    expect((await person.call('GET', methods)).status).toBe(200);
    const callback = await newcomer.visit('/auth/login?returnTo=/account', {
      stopAt: `${at.tenant.url}/u/login`,
    });
    const form = await newcomer.visit(callback.url);
    await memory(1);

    for (let i = 0; i < 6; i += 1) expect((await person.call('GET', methods)).status).toBe(200);
    const begun = await person.call('POST', methods, { type: 'totp' });
    expect(begun.status).toBe(202);
    // Twice the life of an access token: the first refresh's new token was kept, or the second would be refused.
    for (let i = 0; i < 2; i += 1) {
      await sleep(3_100);
      const fresh = { 'cache-control': 'no-cache' };
      const answers = await Promise.all(
        [1, 2, 3, 4].map(async () => person.call('GET', methods, undefined, fresh)),
      );
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    }
    const refreshed = at.tenant
      .requests()
      .filter(({ parameters }) => parameters?.['grant_type'] === 'refresh_token');
    expect(refreshed.map(({ status }) => status)).toEqual([200, 200]);
    expect((await person.call('POST', '/auth/session')).json()).toMatchObject({
      authenticated: true,
    });
    expect((await person.call('GET', '/auth/sessions')).status).toBe(200);
    expect((await leaving.call('POST', '/auth/logout')).status).toBe(200);
    expect((await leaving.call('GET', '/auth/profile')).status).toBe(401);
    // The budget is still that of all gateways, not each one's share.
    for (const { gateway } of at.gateways) {
      expect((await gateway.metrics.expose()).text).not.toContain('admitted_degraded');
      expect(await gateway.ready()).toBe(true);
    }

    const refused = await newcomer.answerForms(form);
    expect(refused.status).toBe(503);
    expect(refused.url).toContain('/auth/callback');
    expect(refused.headers.get('content-type')).toContain('text/html');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(refused.text).toContain('<a href="/auth/login?returnTo=%2Faccount">');
    expect(
      at.tenant
        .requests()
        .filter(({ parameters }) => parameters?.['grant_type'] === 'authorization_code'),
    ).toHaveLength(2);
    expect(told.join('\n')).toContain('Redis is full');
    await memory(0);
    const reloaded = await newcomer.visit(refused.url);
    expect(reloaded.url).toBe(`${at.origin}/account`);
    expect((await newcomer.call('GET', methods)).status).toBe(200);
  },
);

test('Redis full under a policy that evicts: it is warned of at start, and whose session was evicted signs in again, without an error', async () => {
  const at = await begin(['--maxmemory', '64mb', '--maxmemory-policy', 'allkeys-lru']);
  expect(
    await until(() => told.some((line) => line.includes('maxmemory-policy is allkeys-lru'))),
  ).toBe(true);
  const person = at.person();
  await person.signIn();
  await memory(1);
  // Any write makes room, at the cost of whatever is there.
  await at.person().visit('/auth/login');
  expect(await until(async () => (await person.call('GET', methods)).status === 401)).toBe(true);
  await memory(64 * 1024 * 1024);
  const answer = await person.call('GET', methods);
  expect(answer.json()).toMatchObject({
    code: 'login_required',
    loginUrl: expect.stringContaining('/auth/login'),
  });
  expect((await person.signIn('/account')).url).toBe(`${at.origin}/account`);
  expect((await person.call('GET', methods)).status).toBe(200);
});
