import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { bucketsOf, plans as gatewayPlans } from '../../config/plans.ts';
import { operations as gatewayOperations } from '../../src/gateway/my-account/operations.ts';
import { operations } from '../../src/tenant/me/operations.ts';
import { plans } from '../../src/tenant/state/plans.ts';
import { startBench, tokenOf, type Bench } from './my-account-bench.ts';

// Auth0's table, copied as numbers: the gateway's and the tenant's, each typed by itself, are held against it.
type Numbers = Record<string, { tenantPerSecond: number; userPerMinute: number }>;
const published = JSON.parse(
  readFileSync(join(import.meta.dirname, 'auth0/limits.json'), 'utf8'),
) as { plans: Record<string, Numbers> };

/** Eleven names to ten columns: Professional is published as Essentials. */
const wanted = { ...published.plans, professional: published.plans['essentials'] ?? {} };

test('the published table has ten plans of nine buckets', () => {
  expect(Object.keys(published.plans)).toHaveLength(10);
  for (const plan of Object.values(published.plans)) expect(Object.keys(plan)).toHaveLength(9);
});

test('config/plans.ts has every number of it', () => {
  expect(gatewayPlans).toEqual(wanted);
});

test('the tenant has every number of it, from its own copy', () => {
  const own = Object.entries(plans).map(([name, { me }]) => [
    name,
    Object.fromEntries(
      Object.entries(me).map(([bucket, { tenant, user }]) => {
        expect([tenant.windowSeconds, user.windowSeconds]).toEqual([1, 60]);
        return [bucket, { tenantPerSecond: tenant.limit, userPerMinute: user.limit }];
      }),
    ),
  ]);
  expect(Object.fromEntries(own)).toEqual(wanted);
});

test('gateway and tenant name the same bucket for every operation', () => {
  const own = operations.map(({ method, path, bucket, filtered }) => [
    `${method} ${path}`,
    { bucket, ...(filtered ? { filtered } : {}) },
  ]);
  const given = gatewayOperations.map(({ method, path, bucket, filtered }) => [
    `${method} ${path}`,
    { bucket, ...(filtered ? { filtered } : {}) },
  ]);
  expect(Object.fromEntries(own)).toEqual(Object.fromEntries(given));
});

test('single numbers are replaced, the others stay', () => {
  const replaced = bucketsOf('free', { factors_read: { userPerMinute: 60 } });
  expect(replaced).toEqual({
    ...gatewayPlans.free,
    factors_read: { tenantPerSecond: 25, userPerMinute: 60 },
  });
});

describe('over HTTP', () => {
  const scopes = [...new Set(operations.map(({ scope }) => scope))];
  let bench: Bench;
  let token = '';
  beforeAll(async () => {
    bench = await startBench({ plan: 'free' });
  });
  beforeEach(() => {
    bench.state.reset();
    token = tokenOf(bench.user(), scopes);
  });
  afterAll(async () => {
    await bench.close();
  });
  const get = async (path: string) => (await bench.call('GET', path, { token })).status;

  test('on Free the list, the factors, accounts and connections have a bucket each', async () => {
    const methods = '/authentication-methods';
    for (const path of [methods, `${methods}?type=totp`, '/factors']) {
      expect([path, await get(path), await get(path)]).toEqual([path, 200, 200]);
    }
    expect(await get('/connected-accounts/accounts')).toBe(200);
    expect(await get('/connected-accounts/connections')).toBe(200);
    expect(await get(methods)).toBe(429);
    expect(await get('/factors')).toBe(200);
  });

  test.each(operations.map(({ method, path, bucket }) => [method, path, bucket] as const))(
    '%s %s takes from %s and from no other',
    async (method, path, bucket) => {
      bench.state.configure({ plan: 'enterprise' });
      const target = path.replace('{id}', 'cac_0');
      const { limit } = plans.enterprise.me[bucket].user;
      const { headers } = await bench.call(method, target, { token });
      // The user's bucket holds less than the tenant's, so the headers are the user's.
      expect(headers.get('x-ratelimit-limit')).toBe(String(limit));
      bench.state.configure({ limits: { user: { [bucket]: 1 } } });
      token = tokenOf(bench.user(), scopes);
      expect((await bench.call(method, target, { token })).status).not.toBe(429);
      expect((await bench.call(method, target, { token })).status).toBe(429);
      const others = operations.filter((one) => one.bucket !== bucket);
      for (const one of others) {
        const answer = await bench.call(one.method, one.path.replace('{id}', 'cac_0'), { token });
        expect([one.bucket, answer.status === 429]).toEqual([one.bucket, false]);
      }
    },
  );

  test.each([
    ['tenant', 'global-rate-limit'],
    ['user', null],
  ])('a refusal by the limit of the %s says %j', async (owner, kind) => {
    bench.state.configure({ limits: { [owner]: { factors_read: 1 } } });
    await get('/factors');
    const { status, headers } = await bench.call('GET', '/factors', { token });
    expect([status, headers.get('x-auth0-error-kind')]).toEqual([429, kind]);
  });
});
