import { bucketNames, type BucketName, type PlanBuckets } from '../../../config/plans.ts';

/** A token bucket: how fast it fills and how much it holds. */
export interface TokenBucket {
  readonly perMs: number;
  readonly burst: number;
}

/** The two token buckets behind one of Auth0's names. */
export interface BucketPair {
  readonly tenant: TokenBucket;
  readonly user: TokenBucket;
  /** What the tenant's own bucket holds beyond ours: while nobody else spends, `x-ratelimit-remaining` never falls below it. */
  readonly reserve: number;
}

/** All buckets of a plan. */
export type Limits = Readonly<Record<BucketName, BucketPair>>;

/** How far we stay below Auth0's numbers; each is a share of the published one. */
export interface Margins {
  /**
   * Our bucket for the tenant holds less than Auth0's: requests spaced rightly here may arrive
   * bunched there, and bunching costs burst, not rate. A fifth of a second's tokens absorbs arrivals
   * up to 200 ms out of step.
   */
  readonly tenantBurst: number;
  /** Nearly the whole rate: the burst takes the jitter, so the rate need not. */
  readonly tenantRate: number;
  /** A user's bucket is too small to give burst away; it fills a little slower instead, as Auth0 adds per-minute tokens in steps of a second. */
  readonly userRate: number;
  /** Without the shared count, all gateways together stay below this share. */
  readonly degraded: number;
}

/** Margins that lose no more than a fiftieth of the tenant's limit under steady load. */
export const defaultMargins: Margins = {
  tenantBurst: 0.8,
  tenantRate: 0.98,
  userRate: 0.95,
  degraded: 0.8,
};

/** Returns the buckets to keep for a plan, margins taken off. Assumes every number of the plan is above 0. */
export function limitsOf(plan: PlanBuckets, margins: Margins = defaultMargins): Limits {
  return perBucket((bucket) => {
    const { tenantPerSecond: tenant, userPerMinute: user } = plan[bucket];
    const burst = Math.max(1, Math.floor(tenant * margins.tenantBurst));
    return {
      tenant: { perMs: (tenant * margins.tenantRate) / 1_000, burst },
      user: { perMs: (user * margins.userRate) / 60_000, burst: Math.max(1, user) },
      reserve: tenant - burst,
    };
  });
}

/** Returns what one of several gateways may spend while they cannot count together: rates and bursts divided, never below one request. */
export function shareOf(limits: Limits, share: number): Limits {
  const part = ({ perMs, burst }: TokenBucket): TokenBucket => ({
    perMs: perMs * share,
    burst: Math.max(1, Math.floor(burst * share)),
  });
  return perBucket((bucket) => {
    const { tenant, user, reserve } = limits[bucket];
    return { tenant: part(tenant), user: part(user), reserve };
  });
}

/** Returns one of something for each bucket. */
export const perBucket = <T>(make: (bucket: BucketName) => T): Record<BucketName, T> =>
  Object.fromEntries(bucketNames.map((bucket) => [bucket, make(bucket)])) as Record<BucketName, T>;
