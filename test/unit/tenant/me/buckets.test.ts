import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createBuckets, type Limit } from '../../../../src/tenant/state/buckets.ts';

const perSecond = (limit: number): Limit => ({ limit, windowSeconds: 1 });
const perMinute = (limit: number): Limit => ({ limit, windowSeconds: 60 });
const START = Date.UTC(2026, 0, 1) + 123;

function bench(at = START) {
  let time = at;
  const clock = {
    now: () => time,
    seconds: () => Math.floor(time / 1000),
    iso: () => new Date(time).toISOString(),
  };
  const buckets = createBuckets(clock);
  return {
    buckets,
    now: () => time,
    pass: (milliseconds: number) => {
      time += milliseconds;
    },
    drain: (limit: Limit) => {
      let taken = 0;
      while (buckets.take('key', limit).allowed) taken += 1;
      return taken;
    },
  };
}

describe('a token bucket of the tenant', () => {
  test('gives its whole burst at once and then refuses', () => {
    const { drain } = bench();
    expect(drain(perSecond(25))).toBe(25);
  });

  test('per second: refills by the millisecond, 25 in a second are one each 40 ms', () => {
    const { drain, pass } = bench();
    drain(perSecond(25));
    pass(39);
    expect(drain(perSecond(25))).toBe(0);
    pass(1);
    expect(drain(perSecond(25))).toBe(1);
  });

  test('per minute: refills once a second, 5 in a minute are one each twelve seconds', () => {
    const { drain, pass } = bench();
    drain(perMinute(5));
    pass(11_000);
    expect(drain(perMinute(5))).toBe(0);
    pass(1_000);
    expect(drain(perMinute(5))).toBe(1);
  });

  test('says when it is full again and how long to wait for one', () => {
    const { buckets, drain, now } = bench();
    drain(perMinute(5));
    const refused = buckets.take('key', perMinute(5));
    expect(refused).toMatchObject({ allowed: false, limit: 5, remaining: 0, retryAfter: 12 });
    expect(refused.resetAt).toBeGreaterThanOrEqual(Math.floor(now() / 1000) + 60);
    expect(refused.resetAt).toBeLessThanOrEqual(Math.ceil(now() / 1000) + 60);
  });

  test('retry-after is enough: after that long one request passes', () => {
    fc.assert(
      fc.property(limits(), fc.nat(5_000), fc.nat(59_999), (limit, early, offset) => {
        const { buckets, drain, pass } = bench(START + offset);
        drain(limit);
        pass(early);
        const refused = buckets.look('key', limit);
        if (!refused.allowed) pass(refused.retryAfter * 1000);
        expect(buckets.take('key', limit).allowed).toBe(true);
      }),
    );
  });

  test('a look takes nothing, and two keys know nothing of each other', () => {
    const { buckets } = bench();
    buckets.look('a', perSecond(1));
    expect(buckets.take('a', perSecond(1)).allowed).toBe(true);
    expect(buckets.take('b', perSecond(1)).allowed).toBe(true);
    expect(buckets.take('a', perSecond(1)).allowed).toBe(false);
  });

  test('never admits more in any window than burst and refill allow, however the requests come', () => {
    fc.assert(
      fc.property(
        limits(),
        fc.array(fc.nat(3_000), { minLength: 1, maxLength: 400 }),
        fc.nat(59_999),
        (limit, gaps, offset) => {
          const { buckets, now, pass } = bench(START + offset);
          const admitted: number[] = [];
          for (const gap of gaps) {
            pass(gap % 7 === 0 ? gap : gap % 50);
            if (buckets.take('key', limit).allowed) admitted.push(now());
          }
          expect(worstExcess(admitted, limit)).toBeLessThanOrEqual(0);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('loses nothing: offered without end, it admits burst and refill over an hour', () => {
    const { drain, pass } = bench();
    let admitted = 0;
    for (let second = 0; second < 3600; second += 1) {
      admitted += drain(perMinute(7));
      pass(1000);
    }
    expect(admitted).toBeGreaterThanOrEqual(7 + Math.floor((7 * 3599) / 60) - 1);
  });
});

const limits = () =>
  fc
    .tuple(fc.integer({ min: 1, max: 100 }), fc.boolean())
    .map(([count, fast]) => (fast ? perSecond(count) : perMinute(count)));

/** By how much the worst window went over `burst + rate x window`; a per-minute bucket refills in steps of a second, so its windows end on one. */
function worstExcess(admitted: readonly number[], { limit, windowSeconds }: Limit): number {
  let worst = -Infinity;
  for (const [first, from] of admitted.entries()) {
    for (const [more, to] of admitted.slice(first).entries()) {
      const step = windowSeconds > 1 ? 1000 : 1;
      const elapsed = Math.ceil((to - from) / step) * step;
      worst = Math.max(
        worst,
        more + 1 - Math.floor(limit + (limit * elapsed) / (windowSeconds * 1000) + 1e-6),
      );
    }
  }
  return worst;
}
