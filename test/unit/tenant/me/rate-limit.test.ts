import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { rateLimitHeaders, takeRate, type CostClass, type LimitOwner } from '../../../../src/tenant/me/rate-limit.ts';
import { createBuckets } from '../../../../src/tenant/state/buckets.ts';
import { plans } from '../../../../src/tenant/state/plans.ts';
import { excess } from './oracle.ts';

function bench(start: number) {
  let time = start;
  const clock = { now: () => time, seconds: () => Math.floor(time / 1000), iso: () => new Date(time).toISOString() };
  return { buckets: createBuckets(clock), pass: (milliseconds: number) => (time += milliseconds) };
}

const costs: CostClass[] = ['read', 'read', 'read', 'write', 'filtered'];
// A few users ask for most: the square of an even choice.
const offered = fc.record({
  start: fc.integer({ min: 1_700_000_000_000, max: 1_700_000_060_000 }),
  requests: fc.array(fc.record({ gap: fc.nat(20), user: fc.nat(199), cost: fc.constantFrom(...costs) }), {
    minLength: 1000,
    maxLength: 1000,
  }),
});

describe('the limits of the My Account API', () => {
  test('plan enterprise, 1,000 requests in 10 s by 200 users: no window ever holds more than the bucket allows, every refusal names the right limit', () => {
    fc.assert(
      fc.property(offered, ({ start, requests }) => {
        const { buckets, pass } = bench(start);
        const limits = plans.enterprise;
        const admitted = new Map<string, number[]>();
        const wrong: string[] = [];
        const of = (key: string): number[] => admitted.get(key) ?? [];
        for (const { gap, user: even, cost } of requests) {
          const at = pass(gap);
          const user = String(Math.floor(even ** 2 / 200));
          const keys: Record<LimitOwner, string> = { tenant: `tenant ${cost}`, user: `${user} ${cost}` };
          const over = {
            tenant: excess(of(keys.tenant), at, limits.tenant[cost]) > 0,
            user: excess(of(keys.user), at, limits.user[cost]) > 0,
          };
          const { by, drawn } = takeRate(buckets, limits, { cost, user });
          const named = drawn.allowed ? 'nobody' : `${by} ${drawn.limit}`;
          const owner = over.tenant ? 'tenant' : 'user';
          const right = over.tenant || over.user ? `${owner} ${limits[owner][cost].limit}` : 'nobody';
          if (named !== right) wrong.push(`${at} ${user} ${cost}: ${named}, not ${right}`);
          if (drawn.allowed) for (const key of Object.values(keys)) admitted.set(key, [...of(key), at]);
        }
        expect(wrong).toEqual([]);
      }),
      { numRuns: 10, endOnFailure: true },
    );
  });

  test('a request the user’s limit refuses takes nothing from the tenant', () => {
    const { buckets } = bench(1_700_000_000_000);
    const limits = { ...plans.enterprise, tenant: { ...plans.enterprise.tenant, read: { limit: 6, windowSeconds: 1 } } };
    for (let index = 0; index < 50; index += 1) takeRate(buckets, limits, { cost: 'read', user: 'greedy' });
    expect(takeRate(buckets, limits, { cost: 'read', user: 'modest' }).drawn.allowed).toBe(true);
    expect(takeRate(buckets, limits, { cost: 'read', user: 'modest' }).by).toBe('tenant');
  });

  test('reads, writes and filtered reads do not share a bucket', () => {
    const { buckets } = bench(1_700_000_000_000);
    for (let index = 0; index < 6; index += 1) takeRate(buckets, plans.enterprise, { cost: 'read', user: 'one' });
    expect(takeRate(buckets, plans.enterprise, { cost: 'read', user: 'one' }).drawn.allowed).toBe(false);
    expect(takeRate(buckets, plans.enterprise, { cost: 'write', user: 'one' }).drawn.allowed).toBe(true);
    expect(takeRate(buckets, plans.enterprise, { cost: 'filtered', user: 'one' }).drawn.allowed).toBe(true);
  });

  test('the kind of error is told for the tenant’s limit alone, and only with a refusal', () => {
    const drawn = { allowed: false, limit: 5, remaining: 0, resetAt: 1_700_000_060, retryAfter: 12 };
    const shared = { 'x-ratelimit-limit': '5', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1700000060' };
    expect(rateLimitHeaders({ by: 'user', drawn })).toEqual({ ...shared, 'retry-after': '12' });
    expect(rateLimitHeaders({ by: 'tenant', drawn })).toEqual({
      ...shared,
      'retry-after': '12',
      'x-auth0-error-kind': 'global-rate-limit',
    });
    expect(rateLimitHeaders({ by: 'tenant', drawn: { ...drawn, allowed: true } })).toEqual(shared);
  });

  test('every plan has the row Auth0 publishes', () => {
    const rows = Object.entries(plans).map(([name, { tenant, user }]) => [
      name,
      ...[tenant, user].flatMap(({ read, write, filtered }) =>
        [read, write, filtered].map(({ limit, windowSeconds }) => `${limit}/${windowSeconds}`),
      ),
    ]);
    const sixty = (read: number, filtered: number) => [`${read}/60`, `${read}/60`, `${filtered}/60`];
    const one = (read: number, filtered: number) => [`${read}/1`, `${read}/1`, `${filtered}/1`];
    expect(rows).toEqual([
      ['free', ...one(2, 5), ...sixty(2, 5)],
      ['essentials', ...one(5, 20), ...sixty(5, 10)],
      ['professional', ...one(5, 20), ...sixty(5, 10)],
      ['enterprise', ...one(25, 100), ...sixty(5, 20)],
      ['private-100', ...one(20, 40), ...sixty(5, 20)],
      ['private-500', ...one(100, 200), ...sixty(5, 20)],
      ['private-1500', ...one(300, 600), ...sixty(5, 20)],
      ['private-3000', ...one(600, 1200), ...sixty(5, 20)],
      ['private-6000', ...one(1200, 2400), ...sixty(5, 20)],
      ['private-10000', ...one(2000, 4000), ...sixty(5, 20)],
    ]);
  });
});
