import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { rateLimitHeaders, takeRate } from '../../../../src/tenant/me/rate-limit.ts';
import { createBuckets } from '../../../../src/tenant/state/buckets.ts';
import {
  bucketNames,
  plans,
  type BucketName,
  type LimitOwner,
} from '../../../../src/tenant/state/plans.ts';
import { excess } from './oracle.ts';

function bench(start: number) {
  let time = start;
  const clock = {
    now: () => time,
    seconds: () => Math.floor(time / 1000),
    iso: () => new Date(time).toISOString(),
  };
  return { buckets: createBuckets(clock), pass: (milliseconds: number) => (time += milliseconds) };
}

const limits = plans.enterprise.me;
const read = 'authentication_methods_read';
const names: BucketName[] = [
  read,
  read,
  read,
  'authentication_methods_write',
  'authentication_methods_read_filtered',
  'factors_read',
  'connected_accounts_write',
];
// A few users ask for most: the square of an even choice.
const offered = fc.record({
  start: fc.integer({ min: 1_700_000_000_000, max: 1_700_000_060_000 }),
  requests: fc.array(
    fc.record({ gap: fc.nat(20), user: fc.nat(199), bucket: fc.constantFrom(...names) }),
    {
      minLength: 1000,
      maxLength: 1000,
    },
  ),
});

describe('the limits of the My Account API', () => {
  test('plan enterprise, 1,000 requests in 10 s by 200 users: no window ever holds more than the bucket allows, every refusal names the right limit', () => {
    fc.assert(
      fc.property(offered, ({ start, requests }) => {
        const { buckets, pass } = bench(start);
        const admitted = new Map<string, number[]>();
        const wrong: string[] = [];
        const of = (key: string): number[] => admitted.get(key) ?? [];
        for (const { gap, user: even, bucket } of requests) {
          const at = pass(gap);
          const user = String(Math.floor(even ** 2 / 200));
          const keys: Record<LimitOwner, string> = {
            tenant: `tenant ${bucket}`,
            user: `${user} ${bucket}`,
          };
          const over = {
            tenant: excess(of(keys.tenant), at, limits[bucket].tenant) > 0,
            user: excess(of(keys.user), at, limits[bucket].user) > 0,
          };
          const { by, drawn } = takeRate(buckets, { bucket, limits: limits[bucket], user });
          const named = drawn.allowed ? 'nobody' : `${by} ${drawn.limit}`;
          const owner = over.tenant ? 'tenant' : 'user';
          const right =
            over.tenant || over.user ? `${owner} ${limits[bucket][owner].limit}` : 'nobody';
          if (named !== right) wrong.push(`${at} ${user} ${bucket}: ${named}, not ${right}`);
          if (drawn.allowed)
            for (const key of Object.values(keys)) admitted.set(key, [...of(key), at]);
        }
        expect(wrong).toEqual([]);
      }),
      { numRuns: 10, endOnFailure: true },
    );
  });

  test('a request the user’s limit refuses takes nothing from the tenant', () => {
    const { buckets } = bench(1_700_000_000_000);
    const narrow = { ...limits[read], tenant: { limit: 6, windowSeconds: 1 } };
    const ask = (user: string) => takeRate(buckets, { bucket: read, limits: narrow, user });
    for (let index = 0; index < 50; index += 1) ask('greedy');
    expect(ask('modest').drawn.allowed).toBe(true);
    expect(ask('modest').by).toBe('tenant');
  });

  test('no two of the nine share a bucket', () => {
    const { buckets } = bench(1_700_000_000_000);
    const ask = (bucket: BucketName) =>
      takeRate(buckets, { bucket, limits: limits[bucket], user: 'one' });
    for (let index = 0; index < 6; index += 1) ask(read);
    expect(bucketNames.filter((name) => ask(name).drawn.allowed)).toEqual(
      bucketNames.filter((name) => name !== read),
    );
  });

  test('the kind of error is told for the tenant’s limit alone, and only with a refusal', () => {
    const drawn = {
      allowed: false,
      limit: 5,
      remaining: 0,
      resetAt: 1_700_000_060,
      retryAfter: 12,
    };
    const shared = {
      'x-ratelimit-limit': '5',
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': '1700000060',
    };
    expect(rateLimitHeaders({ by: 'user', drawn })).toEqual({ ...shared, 'retry-after': '12' });
    expect(rateLimitHeaders({ by: 'tenant', drawn })).toEqual({
      ...shared,
      'retry-after': '12',
      'x-auth0-error-kind': 'global-rate-limit',
    });
    expect(rateLimitHeaders({ by: 'tenant', drawn: { ...drawn, allowed: true } })).toEqual(shared);
  });
});
