import { afterEach, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startTenant, type Tenant } from '../../src/tenant/index.ts';
import { freePort, startAlternating, type Alternating } from '../helpers/gateway.ts';
import { createPerson, type Person } from '../helpers/person.ts';
import { startRedis, type RedisServer } from '../helpers/redis.ts';
import { until } from '../helpers/until.ts';

const root = join(import.meta.dirname, '../..');
const methods = '/api/me/v1/authentication-methods';

interface Scene {
  readonly tenant: Tenant;
  readonly redis: RedisServer;
  readonly person: Person;
  /** Lets the front send requests to one of the two gateways only. */
  turnTo(index: 0 | 1): void;
  /** Ends the first gateway as a crash does. */
  kill(): Promise<void>;
  refreshes(): number;
  /** How often the tenant found a refresh token spent twice, or otherwise dead. */
  refused(): number;
}

let running: { child: ChildProcess; url: string }[] = [];
let parts: { front: Alternating; tenant: Tenant; redis: RedisServer } | undefined;

afterEach(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  running = [];
  parts?.redis.thaw();
  await parts?.front.close();
  await parts?.tenant.close();
  await parts?.redis.stop();
});

const healthy = async (url: string): Promise<void> => {
  for (let i = 0; i < 2_400; i += 1) {
    if (
      await fetch(`${url}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      return;
    await sleep(50);
  }
  throw new Error('the gateway did not get ready');
};

/** A tenant with rotation, Redis, two gateway processes, and somebody signed in whose access token has just expired. */
const scene = async (leewaySeconds = 0, more: Record<string, string> = {}): Promise<Scene> => {
  const [front, redis] = await Promise.all([startAlternating(), startRedis()]);
  const tenant = await startTenant({
    control: true,
    tokens: { accessTokenSeconds: 2, refreshLeewaySeconds: leewaySeconds },
    limits: { enforced: false },
    clients: [
      {
        client_id: 'killed',
        client_secret: 'a-client-secret',
        callbacks: [`${front.url}/auth/callback`],
      },
    ],
  });
  parts = { front, tenant, redis };
  const settings = {
    PATH: process.env['PATH'] ?? '',
    AUTH0_DOMAIN: tenant.url,
    AUTH0_CLIENT_ID: 'killed',
    AUTH0_CLIENT_SECRET: 'a-client-secret',
    AUTH0_SECRET: 'the secret of two gateways that share it',
    AUTH0_REFRESH_LEEWAY: String(leewaySeconds),
    // As long may whoever spends a token be waited for before it counts as lost.
    TOKEN_EXCHANGE_TIMEOUT: '3000',
    APP_BASE_URL: front.url,
    REDIS_URL: redis.url,
    RATE_LIMIT_USER_READ: '10000',
    RATE_LIMIT_USER_FACTORS_READ: '10000',
    // Each visit is to need a token.
    READ_KEEP_SECONDS: '0',
    INSTANCES: '2',
    LOG_LEVEL: 'warn',
    ADMIN_PORT: '0',
    ...more,
  };
  for (let i = 0; i < 2; i += 1) {
    const port = await freePort();
    const child = spawn(process.execPath, ['src/main.ts', 'start'], {
      cwd: root,
      env: { ...settings, PORT: String(port) },
      stdio: 'ignore',
    });
    running.push({ child, url: `http://localhost:${port}` });
  }
  await Promise.all(running.map(async ({ url }) => healthy(url)));
  const turnTo = (index: 0 | 1): void => {
    front.targets([running[index]?.url ?? '']);
  };
  turnTo(0);
  const person = createPerson(front.url, tenant.demoUser);
  await person.signIn('/auth/session');
  await sleep(2_100);
  return {
    tenant,
    redis,
    person,
    turnTo,
    async kill() {
      const child = running[0]?.child;
      const ended = new Promise((resolve) => child?.once('exit', resolve));
      child?.kill('SIGKILL');
      await ended;
    },
    refused: () =>
      tenant
        .requests()
        .filter(
          ({ parameters, status }) =>
            parameters?.['grant_type'] === 'refresh_token' && status === 403,
        ).length,
    refreshes: () =>
      tenant.requests().filter(({ parameters }) => parameters?.['grant_type'] === 'refresh_token')
        .length,
  };
};

/** The request that was under way when its gateway died: the browser sees a broken connection. */
const underWay = (person: Person): Promise<unknown> =>
  person.call('GET', methods).catch(() => 'broken');

/**
 * After a loss the next requests are told to come back later while the new token might still be brought, then the session is signed out clearly; the
 * refresh token was not spent again, and a new sign-in works.
 */
const lostCleanly = async ({ person, refreshes }: Scene): Promise<void> => {
  let answer = await person.call('GET', methods);
  for (let i = 0; i < 600 && answer.status === 503; i += 1) {
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    await sleep(100);
    answer = await person.call('GET', methods);
  }
  expect(answer.status).toBe(401);
  expect(answer.json()).toMatchObject({ code: 'login_required' });
  expect(refreshes()).toBeLessThanOrEqual(1);
  await person.signIn('/auth/session');
  expect((await person.call('GET', methods)).status).toBe(200);
};

test('killed while Auth0 has not yet looked at the exchange', async () => {
  const the = await scene();
  the.tenant.faults.add({ path: '/oauth/token', times: 1, delayMs: 5_000 });
  const request = underWay(the.person);
  expect(await until(() => the.tenant.faults.list().length === 0)).toBe(true);
  await the.kill();
  await request;
  the.turnTo(1);
  await lostCleanly(the);
});

test('killed while Auth0 answers', async () => {
  const the = await scene();
  the.tenant.faults.add({ path: '/oauth/token', times: 1, slowBodyMs: 5_000 });
  const request = underWay(the.person);
  expect(await until(() => the.tenant.faults.list().length === 0)).toBe(true);
  await the.kill();
  await request;
  the.turnTo(1);
  await lostCleanly(the);
});

test('killed between the answer and the writing of it', async () => {
  const the = await scene();
  the.tenant.faults.add({ path: '/oauth/token', times: 1, delayMs: 2_000 });
  const request = underWay(the.person);
  expect(await until(() => the.tenant.faults.list().length === 0)).toBe(true);
  the.redis.freeze();
  expect(await until(() => the.refreshes() === 1)).toBe(true);
  await sleep(400);
  await the.kill();
  await request;
  the.redis.thaw();
  the.turnTo(1);
  // What had reached Redis' socket before the kill is done when Redis wakes; what had not is a clear sign-in. Neither spends the token again.
  if ((await the.person.call('GET', methods)).status === 200) expect(the.refused()).toBe(0);
  else await lostCleanly(the);
});

test('killed right after the writing: the other gateway has the new token', async () => {
  const the = await scene();
  expect((await the.person.call('GET', methods)).status).toBe(200);
  await the.kill();
  the.turnTo(1);
  expect((await the.person.call('GET', methods)).status).toBe(200);
  expect(the.refused()).toBe(0);
});

test('Redis silent while the new token is to be written: it is written when Redis is back, and nobody is signed out', async () => {
  const the = await scene();
  the.tenant.faults.add({ path: '/oauth/token', times: 1, delayMs: 2_000 });
  const request = underWay(the.person);
  expect(await until(() => the.tenant.faults.list().length === 0)).toBe(true);
  the.redis.freeze();
  expect(await until(() => the.refreshes() === 1)).toBe(true);
  await sleep(1_000);
  the.redis.thaw();
  await request;
  the.turnTo(1);
  expect((await the.person.call('GET', methods)).status).toBe(200);
  expect(the.refused()).toBe(0);
});

test.each([
  ['with a leeway at the tenant, known to the gateway', 60, {}],
  ['with an online refresh token, which is never spent', 0, { AUTH0_REFRESH_MODE: 'online' }],
])('%s, the session survives a kill in the middle of the exchange', async (_how, leeway, more) => {
  const the = await scene(leeway, more);
  the.tenant.faults.add({ path: '/oauth/token', times: 1, delayMs: 5_000 });
  const request = underWay(the.person);
  expect(await until(() => the.tenant.faults.list().length === 0)).toBe(true);
  await the.kill();
  await request;
  the.turnTo(1);
  // While the dead gateway's lease lasts the answer is to try again.
  const answered = await until(async () => {
    const { status } = await the.person.call('GET', methods);
    expect([200, 503]).toContain(status);
    return status === 200;
  });
  expect(answered).toBe(true);
});
