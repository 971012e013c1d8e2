import type { CostClass, Plan } from '../../../config/plans.ts';
import type { Levels } from './ledger.ts';
import type { Limits } from './limits.ts';

/** What one user may be told of one of their buckets. */
export interface ClassQuota {
  /** The published limit of one user. */
  readonly limit: number;
  /** Whole requests the user can make now. */
  readonly remaining: number;
  /** Seconds until the next request is possible when none is left, else until all are. */
  readonly resetSeconds: number;
  readonly windowSeconds: number;
}

/** The user's own numbers per cost class; the tenant's are nobody's business. */
export type Quota = Readonly<Record<CostClass, ClassQuota>>;

// A level computed from floating point may miss a whole number by a hair.
const HAIR = 1e-5;

/** Whole seconds to wait, at least one, and enough: waiting exactly that long succeeds unless somebody else spends meanwhile. */
export function secondsOf(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1_000 - HAIR));
}

/** What a user may be told of their buckets. */
export function quotaOf(levels: Levels, plan: Plan, limits: Limits): Quota {
  const of = (cost: CostClass): ClassQuota => {
    const { perMs, burst } = limits[cost].user;
    const remaining = Math.max(0, Math.floor(levels[cost] + HAIR));
    const missing = remaining === 0 ? 1 - levels[cost] : burst - levels[cost];
    return {
      limit: plan.userPerMinute[cost],
      remaining,
      resetSeconds: missing <= HAIR ? 0 : secondsOf(missing / perMs),
      windowSeconds: 60,
    };
  };
  return { read: of('read'), write: of('write'), filtered: of('filtered') };
}

/** `RateLimit` and `RateLimit-Policy` for the class a request counted as (draft-ietf-httpapi-ratelimit-headers-10, structured fields, RFC 9651). */
export function rateLimitHeaders(quota: Quota, cost: CostClass): { RateLimit: string; 'RateLimit-Policy': string } {
  const { limit, remaining, resetSeconds, windowSeconds } = quota[cost];
  return { RateLimit: `"${cost}";r=${remaining};t=${resetSeconds}`, 'RateLimit-Policy': `"${cost}";q=${limit};w=${windowSeconds}` };
}
