import { setTimeout as after } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { plans } from '../../src/tenant/state/plans.ts';
import { excess } from '../unit/tenant/me/oracle.ts';
import { startBench, tokenOf, type Bench } from './my-account-bench.ts';

const scopes = ['read:me:authentication_methods'];
const limits = plans.enterprise.me.authentication_methods_read;
// Between the reading of a token and the bucket pass a few milliseconds: at 25 a second they are worth at most one token.
const BLUR = 1;

let bench: Bench;
beforeAll(async () => {
  bench = await startBench({ plan: 'enterprise' });
});
afterAll(async () => {
  await bench.close();
});

test('plan enterprise, 1,000 reads offered in 10 s by 200 users: never more than the buckets allow in any window, every refusal names the right limit', async () => {
  const users = Array.from({ length: 200 }, () => bench.user());
  const answers = await Promise.all(
    Array.from({ length: 1000 }, async (_, index) => {
      await after(index * 10);
      // A few users ask for most, so that both limits are reached.
      const user = users[Math.floor(((index * 37) % 200) ** 2 / 200)] ?? '';
      const token = tokenOf(user, scopes, { jti: index });
      const { status, headers } = await bench.call('GET', '/authentication-methods', { token });
      return { at: bench.arrivals.get(token) ?? 0, user, status, headers };
    }),
  );

  const admitted: number[] = [];
  const admittedOf = new Map<string, number[]>();
  const refused = { user: 0, tenant: 0 };
  for (const { at, user, status, headers } of answers.toSorted((a, b) => a.at - b.at)) {
    const own = admittedOf.get(user) ?? [];
    const over = {
      tenant: excess(admitted, at, limits.tenant),
      user: excess(own, at, limits.user),
    };
    if (status === 200) {
      expect(Math.max(over.tenant, over.user)).toBeLessThanOrEqual(BLUR);
      admitted.push(at);
      admittedOf.set(user, [...own, at]);
      continue;
    }
    expect(status).toBe(429);
    const by = headers.get('x-auth0-error-kind') === 'global-rate-limit' ? 'tenant' : 'user';
    refused[by] += 1;
    expect(over[by]).toBeGreaterThan(-BLUR);
    expect(headers.get('x-ratelimit-limit')).toBe(String(limits[by].limit));
    expect(headers.get('x-ratelimit-remaining')).toBe('0');
    expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(by === 'tenant' ? 1 : 12);
  }
  expect(admitted.length).toBeLessThanOrEqual(25 + 25 * 10 + 5);
  expect(refused.tenant).toBeGreaterThan(100);
  expect(refused.user).toBeGreaterThan(10);
});
