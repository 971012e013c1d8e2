import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startTenant, type Tenant } from '../../src/tenant/index.ts';
import { freePort, startAlternating, type Alternating } from '../helpers/gateway.ts';
import { createPerson, type Person } from '../helpers/person.ts';
import { startProgram, type Running } from '../helpers/process.ts';
import { startRedis, type RedisServer } from '../helpers/redis.ts';
import { until } from '../helpers/until.ts';

const methods = '/api/me/v1/authentication-methods';
let front: Alternating;
let redis: RedisServer;
let tenant: Tenant;
let environment: Record<string, string>;
const running = new Set<Running<unknown>>();

beforeAll(async () => {
  [front, redis] = await Promise.all([startAlternating(), startRedis()]);
  tenant = await startTenant({
    control: true,
    limits: { enforced: false },
    clients: [
      {
        client_id: 'killed',
        client_secret: 'a-client-secret',
        callbacks: [`${front.url}/auth/callback`],
      },
    ],
  });
  environment = {
    AUTH0_DOMAIN: tenant.url,
    AUTH0_CLIENT_ID: 'killed',
    AUTH0_CLIENT_SECRET: 'a-client-secret',
    AUTH0_SECRET: 'the secret of two gateways that share it',
    AUTH0_SCOPE:
      'openid offline_access create:me:authentication_methods read:me:authentication_methods',
    APP_BASE_URL: front.url,
    REDIS_URL: redis.url,
    RATE_LIMIT_USER_WRITE: '1000',
    INSTANCES: '2',
    ADMIN_PORT: '0',
  };
});
afterAll(async () => {
  for (const each of running) await each.kill();
  await front.close();
  await tenant.close();
  await redis.stop();
});

const gateway = async (): Promise<{ url: string; process: Running<unknown> }> => {
  const port = await freePort();
  const process = await startProgram(['start'], { ...environment, PORT: String(port) });
  running.add(process);
  return { url: `http://localhost:${port}`, process };
};
const sent = (from: number): number =>
  tenant
    .requests(from)
    .filter(({ method, path }) => method === 'POST' && path === '/me/v1/authentication-methods')
    .length;
test('a named change whose gateway is killed in the middle is not made again by its repeat', async () => {
  const [dying, living] = await Promise.all([gateway(), gateway()]);
  front.targets([dying.url]);
  const [user] = tenant.users.add({ count: 1, password: 'of a user of this test' });
  const person: Person = createPerson(front.url, {
    email: user?.email ?? '',
    password: 'of a user of this test',
  });
  await person.signIn('/auth/session');
  const before = tenant.requests().at(-1)?.id ?? 0;
  const key = { 'idempotency-key': '"enrol-a-phone"' };
  const change = () => person.call('POST', methods, { type: 'totp' }, key);

  // The API has it, and takes its time.
  tenant.faults.add({ method: 'POST', path: '/me/v1/authentication-methods', delayMs: 2_000 });
  const first = change().catch(() => 'broken');
  expect(await until(() => tenant.faults.list().length === 0)).toBe(true);
  await dying.process.kill();
  expect(await first).toBe('broken');
  expect(await until(() => sent(before) === 1)).toBe(true);

  front.targets([living.url]);
  for (let repeat = 0; repeat < 2; repeat += 1) {
    const answer = await change();
    expect([answer.status, answer.json()]).toMatchObject([
      409,
      { code: 'outcome_unknown', lookAt: methods },
    ]);
  }
  expect(sent(before)).toBe(1);
  // The way on that the answer names.
  expect((await person.call('GET', methods)).status).toBe(200);
  await living.process.stop();
});
