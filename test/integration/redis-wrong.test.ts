import { afterEach, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRedis } from '../../src/gateway/redis/client.ts';
import { startTenant } from '../../src/tenant/index.ts';
import { freePort, startGateway } from '../helpers/gateway.ts';
import { createPerson } from '../helpers/person.ts';
import { runProgram, startProgram } from '../helpers/process.ts';
import { startRedis } from '../helpers/redis.ts';
import { startTlsRedis } from '../helpers/redis-lab.ts';
import { until } from '../helpers/until.ts';
import { startWorld } from '../helpers/world.ts';

const toEnd: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of toEnd.splice(0).reverse()) await end();
});

const password = 'canary-open-sesame';
/** A tenant, and the settings of a gateway before it that is still to be started as a process of its own. */
const settled = async () => {
  const port = await freePort();
  const origin = `http://localhost:${port}`;
  const tenant = await startTenant({
    clients: [
      {
        client_id: 'wrong',
        client_secret: 'a-client-secret',
        callbacks: [`${origin}/auth/callback`],
      },
    ],
  });
  toEnd.push(async () => tenant.close());
  const settings = {
    AUTH0_DOMAIN: tenant.url,
    AUTH0_CLIENT_ID: 'wrong',
    AUTH0_CLIENT_SECRET: 'a-client-secret',
    AUTH0_SECRET: 'the secret of a gateway whose Redis is told about',
    APP_BASE_URL: origin,
    PORT: String(port),
    ADMIN_PORT: '0',
  };
  return { origin, tenant, settings };
};
const start = async (settings: Record<string, string>) => {
  const program = await startProgram<object>(['start'], settings);
  toEnd.push(async () => program.kill());
  return program;
};
const runRedis = async (url: string, name: string, ...args: string[]): Promise<unknown> => {
  const redis = createRedis(
    { url, keyPrefix: '' },
    { info: () => undefined, warn: () => undefined },
  );
  return redis.command(name, ...args).finally(() => void redis.close());
};
const readiness = async (origin: string): Promise<number> =>
  (await fetch(`${origin}/readyz`)).status;

test('Redis with TLS and a password: a user signs in through it, and the password is in no log', async () => {
  const lab = await startTlsRedis(['--requirepass', password]);
  toEnd.push(lab.stop);
  const { origin, tenant, settings } = await settled();
  const program = await start({
    ...settings,
    REDIS_URL: `rediss://:${password}@127.0.0.1:${lab.port}`,
    NODE_EXTRA_CA_CERTS: lab.ca,
    LOG_LEVEL: 'debug',
  });
  expect(await until(async () => (await readiness(origin)) === 200)).toBe(true);
  const person = createPerson(origin, tenant.demoUser);
  await person.signIn('/auth/session');
  expect((await person.call('GET', '/api/me/v1/authentication-methods')).status).toBe(200);
  await person.visit('/auth/logout');
  expect((await person.call('GET', '/auth/profile')).status).toBe(401);
  expect(program.output()).not.toContain('canary');
});

test.each([
  [
    'a wrong password',
    'rediss://:canary-guessed@',
    true,
    'mend the user and password in REDIS_URL',
  ],
  ['no password', 'rediss://', true, 'mend the user and password in REDIS_URL'],
  ['a certificate nobody vouches for', `rediss://:${password}@`, false, 'NODE_EXTRA_CA_CERTS'],
])(
  '%s: not ready, and log and doctor say how to mend it, never the password',
  async (_what, address, trusted, mend) => {
    const lab = await startTlsRedis(['--requirepass', password]);
    toEnd.push(lab.stop);
    const { origin, settings } = await settled();
    const wrong = {
      ...settings,
      REDIS_URL: `${address}127.0.0.1:${lab.port}`,
      ...(trusted && { NODE_EXTRA_CA_CERTS: lab.ca }),
    };
    const program = await start(wrong);
    expect(await until(() => program.output().includes(mend))).toBe(true);
    expect(await readiness(origin)).toBe(503);
    await sleep(2_000);
    // Told once, however many attempts there were.
    expect(program.output().split(mend)).toHaveLength(2);
    expect(program.output()).not.toContain('canary');
    const { code, output } = await runProgram(['src/main.ts', 'doctor'], wrong);
    expect(code).toBe(1);
    expect(output).toContain('FAIL  REDIS_URL');
    expect(output).toContain(mend);
    expect(output).not.toContain('canary');
  },
);

describe('a read-only replica given by mistake', () => {
  test('is not ready; its users get 503 with the cookie kept; log and doctor name the mistake; when it becomes a primary all is well', async () => {
    const primary = await startRedis(['--repl-diskless-sync-delay', '0']);
    toEnd.push(async () => primary.stop());
    const replica = await startRedis(['--replicaof', '127.0.0.1', String(primary.port)]);
    toEnd.push(async () => replica.stop());
    const world = await startWorld({ settings: { REDIS_URL: primary.url } });
    toEnd.push(async () => world.close());
    const person = world.person();
    await person.signIn();
    expect(await until(async () => Number(await runRedis(replica.url, 'DBSIZE')) > 0)).toBe(true);
    const told: string[] = [];
    const tell = (fields: object, message: string): void =>
      void told.push(`${JSON.stringify(fields)} ${message}`);
    const settings = {
      AUTH0_DOMAIN: world.tenant.url,
      AUTH0_CLIENT_ID: 'world',
      AUTH0_CLIENT_SECRET: world.clientSecret,
      AUTH0_SECRET: world.serverSecret,
      APP_BASE_URL: world.origin,
      REDIS_URL: replica.url,
    };
    const mistaken = await startGateway(settings, 0, {
      debug: tell,
      info: tell,
      warn: tell,
      error: tell,
    });
    toEnd.push(async () => mistaken.close());
    const said = (): string[] =>
      told.filter((line) => line.includes('this Redis is a read-only replica'));
    expect(await until(() => said().length > 0)).toBe(true);
    expect((await fetch(`${mistaken.url}/readyz`)).status).toBe(503);
    const cookie = await person.jar.getCookieString(world.origin);
    const call = async (path: string) =>
      fetch(mistaken.url + path, { headers: { cookie, 'x-csrf': '1' } });
    for (let i = 0; i < 20; i += 1) {
      const answer = await call('/api/me/v1/factors');
      expect(answer.status).toBe(503);
      expect(answer.headers.getSetCookie()).toEqual([]);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      expect(await answer.json()).toMatchObject({ code: 'store_unavailable' });
    }
    const doctor = await runProgram(['src/main.ts', 'doctor'], settings);
    expect(doctor.code).toBe(1);
    expect(doctor.output).toContain('FAIL  REDIS_URL: this Redis is a read-only replica');
    // A line for the look at start and one for the first command that was refused, none for each request.
    expect(said().length).toBeLessThanOrEqual(2);
    expect(told.filter((line) => line.includes('lost the connection'))).toEqual([]);

    await runRedis(replica.url, 'REPLICAOF', 'NO', 'ONE');
    expect(await until(async () => (await call('/api/me/v1/factors')).status === 200)).toBe(true);
    expect(await until(async () => (await fetch(`${mistaken.url}/readyz`)).status === 200)).toBe(
      true,
    );
  });
});

test('another server than the address says: a Redis that is no Cluster, and none that is a Sentinel', async () => {
  const redis = await startRedis();
  toEnd.push(async () => redis.stop());
  const { settings } = await settled();
  for (const [url, mend] of [
    [`redis+cluster://127.0.0.1:${redis.port}`, 'this Redis is no Cluster'],
    [`redis+sentinel://127.0.0.1:${redis.port}/primary`, 'this is a Redis and no Sentinel'],
  ] as const) {
    const { code, output } = await runProgram(['src/main.ts', 'doctor'], {
      ...settings,
      REDIS_URL: url,
    });
    expect(code).toBe(1);
    expect(output).toContain(mend);
  }
});

test('a Redis in good order is found so by the doctor', async () => {
  const redis = await startRedis();
  toEnd.push(async () => redis.stop());
  const { settings } = await settled();
  const { code, output } = await runProgram(['src/main.ts', 'doctor'], {
    ...settings,
    REDIS_URL: redis.url,
  });
  expect(output).toContain('ok    Redis answers');
  expect(code).toBe(0);
});
