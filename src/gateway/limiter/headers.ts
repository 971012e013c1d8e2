import type { BucketName, PlanBuckets } from '../../../config/plans.ts';
import type { Limits } from './limits.ts';

/** What one user may be told of one of their buckets. */
export interface BucketQuota {
  /** The published limit of one user. */
  readonly limit: number;
  /** Whole requests the user can make now. */
  readonly remaining: number;
  /** Seconds until the next request is possible when none is left, else until all are. */
  readonly resetIn: number;
}

/** The user's own numbers by bucket; the tenant's are nobody's business. */
export type Quota = Readonly<Partial<Record<BucketName, BucketQuota>>>;

const windowSeconds = 60;

// A level computed from floating point may miss a whole number by a hair.
const HAIR = 1e-5;

/** Returns whole seconds to wait, at least one, and enough: waiting exactly that long succeeds unless somebody else spends meanwhile. */
export function secondsOf(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1_000 - HAIR));
}

/** Returns what a user may be told of a bucket that holds `level` now. */
export function quotaOf(
  level: number,
  bucket: BucketName,
  plan: PlanBuckets,
  limits: Limits,
): BucketQuota {
  const { perMs, burst } = limits[bucket].user;
  const remaining = Math.max(0, Math.floor(level + HAIR));
  const missing = remaining === 0 ? 1 - level : burst - level;
  return {
    limit: plan[bucket].userPerMinute,
    remaining,
    resetIn: missing <= HAIR ? 0 : secondsOf(missing / perMs),
  };
}

/**
 * Returns `RateLimit` and `RateLimit-Policy` for the bucket a request was counted in
 * (draft-ietf-httpapi-ratelimit-headers-10, structured fields, RFC 9651).
 */
export function rateLimitHeaders(
  bucket: BucketName,
  { limit, remaining, resetIn }: BucketQuota,
): { RateLimit: string; 'RateLimit-Policy': string } {
  return {
    RateLimit: `"${bucket}";r=${remaining};t=${resetIn}`,
    'RateLimit-Policy': `"${bucket}";q=${limit};w=${windowSeconds}`,
  };
}
