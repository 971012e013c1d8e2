import type { BucketName, PlanBuckets } from '../../../config/plans.ts';
import { readHttpDate, readRetryAfter } from '../http/retry-after.ts';
import type { Limits } from './limits.ts';
import type { UpstreamSignal } from './store.ts';

/** What the API answered to one request: its status, its headers in lower case, and whose it was. */
export interface UpstreamAnswer {
  readonly user: string;
  readonly bucket: BucketName;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/**
 * For how long a 429 closes a bucket at most, in milliseconds. Auth0's limits are per second and per minute: whatever is said beyond that, one request tries
 * before, and what a browser is told is when that may be.
 */
export const longestClosedMs = { tenant: 60_000, user: 120_000 } as const;

/**
 * Reads Auth0's `x-ratelimit-limit`, `-remaining` and `-reset` (UNIX seconds), `Retry-After` (see readRetryAfter) and `x-auth0-error-kind`
 * (`global-rate-limit` only when the tenant's limit was hit). Which bucket `remaining` speaks of is not said: it is told by the limit, and where both
 * limits are the same number by how far the reset lies ahead. Undefined when there is nothing to adjust; `expected` is what we believe the user has left.
 */
export function readSignal(
  answer: UpstreamAnswer,
  plan: PlanBuckets,
  limits: Limits,
  expected: number | undefined,
  nowMs: number,
): UpstreamSignal | undefined {
  const { bucket, user, status } = answer;
  const header = (name: string): string | undefined => {
    const value = answer.headers[name];
    return typeof value === 'string' ? value : value?.[0];
  };
  const number = (name: string): number | undefined => {
    const text = header(name)?.trim();
    return text !== undefined && /^\d{1,12}$/.test(text) ? Number(text) : undefined;
  };
  // The API's own clock, where it tells it: this machine's may be minutes off.
  const date = readHttpDate(header('date')?.trim() ?? '');
  const resetMs = (number('x-ratelimit-reset') ?? 0) * 1_000 - (date ?? nowMs);

  if (status === 429) {
    const kind = header('x-auth0-error-kind');
    const after = readRetryAfter(header, nowMs);
    const afterMs = after === undefined ? undefined : after * 1_000;
    if (kind !== undefined)
      return {
        kind: 'tenant-limited',
        bucket,
        retryMs: Math.min(longestClosedMs.tenant, afterMs ?? 1_000),
      };
    const oneToken = 1 / limits[bucket].user.perMs;
    return {
      kind: 'user-limited',
      bucket,
      user,
      retryMs: Math.min(longestClosedMs.user, afterMs ?? Math.max(resetMs, oneToken)),
    };
  }
  const remaining = number('x-ratelimit-remaining');
  const limit = number('x-ratelimit-limit');
  if (remaining === undefined || limit === undefined) return undefined;
  const tenants = plan[bucket].tenantPerSecond === limit;
  const users = plan[bucket].userPerMinute === limit;
  if (users && (!tenants || resetMs > 2_000)) {
    return expected !== undefined && expected >= remaining + 1
      ? { kind: 'user-low', bucket, user, remaining }
      : undefined;
  }
  // Well below what we alone leave there, and not by a rounding.
  if (tenants && !users && remaining + 1 <= limits[bucket].reserve / 2)
    return { kind: 'tenant-low', bucket, remaining };
  return undefined;
}
