import { describe, expect, test } from '@jest/globals';
import { bucketsOf } from '../../../../config/plans.ts';
import type { PlanName } from '../../../../config/plans.ts';
import { readSignal } from '../../../../src/gateway/limiter/feedback.ts';
import { limitsOf } from '../../../../src/gateway/limiter/limits.ts';

const now = Date.UTC(2026, 10, 23, 12);
const seconds = (ahead: number) => String(now / 1_000 + ahead);
const read = (
  plan: PlanName,
  status: number,
  headers: Record<string, string>,
  expected?: number,
  clock = now,
) =>
  readSignal(
    { user: 'ann', bucket: 'authentication_methods_read', status, headers },
    bucketsOf(plan),
    limitsOf(bucketsOf(plan)),
    expected,
    clock,
  );

describe('what an answer of the API tells', () => {
  test('a 429 that names its kind is the tenant’s, any other the user’s', () => {
    expect(
      read('enterprise', 429, { 'retry-after': '1', 'x-auth0-error-kind': 'global-rate-limit' }),
    ).toEqual({
      kind: 'tenant-limited',
      bucket: 'authentication_methods_read',
      retryMs: 1_000,
    });
    expect(read('enterprise', 429, { 'retry-after': '12' })).toEqual({
      kind: 'user-limited',
      bucket: 'authentication_methods_read',
      user: 'ann',
      retryMs: 12_000,
    });
  });

  test('a 429 that says nothing of when closes the user for the time of one token', () => {
    expect(read('enterprise', 429, {})).toMatchObject({
      kind: 'user-limited',
      retryMs: expect.closeTo(12_632, 0),
    });
  });

  test('nothing, when all is as expected or nothing is said', () => {
    expect(read('enterprise', 200, {})).toBeUndefined();
    expect(
      read('enterprise', 200, { 'x-ratelimit-limit': '25', 'x-ratelimit-remaining': '5' }),
    ).toBeUndefined();
    const own = {
      'x-ratelimit-limit': '5',
      'x-ratelimit-remaining': '4',
      'x-ratelimit-reset': seconds(12),
    };
    expect(read('enterprise', 200, own, 4.2)).toBeUndefined();
    expect(
      read('enterprise', 200, { 'x-ratelimit-limit': 'many', 'x-ratelimit-remaining': '-1' }, 4),
    ).toBeUndefined();
  });

  test('that others spend the tenant’s budget, when less is left than we leave there', () => {
    expect(
      read('enterprise', 200, {
        'x-ratelimit-limit': '25',
        'x-ratelimit-remaining': '1',
        'x-ratelimit-reset': seconds(1),
      }),
    ).toEqual({
      kind: 'tenant-low',
      bucket: 'authentication_methods_read',
      remaining: 1,
    });
  });

  test('that a user spent elsewhere, when less is left than we know of', () => {
    const headers = {
      'x-ratelimit-limit': '5',
      'x-ratelimit-remaining': '1',
      'x-ratelimit-reset': seconds(48),
    };
    expect(read('enterprise', 200, headers, 3.4)).toEqual({
      kind: 'user-low',
      bucket: 'authentication_methods_read',
      user: 'ann',
      remaining: 1,
    });
  });

  test('whose bucket it is where both limits are the same number: by how far its reset lies ahead', () => {
    const headers = (ahead: number) => ({
      'x-ratelimit-limit': '2',
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': seconds(ahead),
    });
    expect(read('free', 200, headers(31), 1.9)).toMatchObject({ kind: 'user-low' });
    expect(read('free', 200, headers(1), 1.9)).toBeUndefined();
  });

  test('the same on a gateway whose clock is five minutes off', () => {
    const headers = (ahead: number) => ({
      'x-ratelimit-limit': '2',
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': seconds(ahead),
      date: new Date(now).toUTCString(),
    });
    for (const clock of [now - 300_000, now + 300_000]) {
      expect(read('free', 200, headers(31), 1.9, clock)).toMatchObject({ kind: 'user-low' });
      expect(read('free', 200, headers(1), 1.9, clock)).toBeUndefined();
    }
  });
});
