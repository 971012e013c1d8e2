import type { Limit } from './buckets.ts';

/**
 * The buckets of the My Account API by Auth0's names; each is one for the tenant and one for every
 * user.
 */
export const bucketNames = [
  'authentication_methods_read',
  'authentication_methods_read_filtered',
  'authentication_methods_write',
  'factors_read',
  'connected_accounts_create_flow',
  'connected_accounts_read_accounts',
  'connected_accounts_read_connections',
  'connected_accounts_write',
  'organizations_read',
] as const;

/** The name of a bucket. */
export type BucketName = (typeof bucketNames)[number];

/** Whose bucket it is: everything the tenant is asked, or what one user asks. */
export type LimitOwner = 'tenant' | 'user';

/** Auth0's published limits of one plan. */
export interface PlanLimits {
  /** The nine buckets of the My Account API: the tenant's per second, a user's per minute. */
  me: Readonly<Record<BucketName, Readonly<Record<LimitOwner, Limit>>>>;
  /** `/oauth/token` and the other authentication endpoints, tenant-wide, per second. */
  token: Limit;
}

type Nine = [...[number, number, number, number], ...[number, number, number, number], number];

const row = (tenant: Nine, user: Nine, token: number): PlanLimits => ({
  me: Object.fromEntries(
    bucketNames.map((bucket, at) => [
      bucket,
      {
        tenant: { limit: tenant[at] ?? 0, windowSeconds: 1 },
        user: { limit: user[at] ?? 0, windowSeconds: 60 },
      },
    ]),
  ) as Record<BucketName, Record<LimitOwner, Limit>>,
  token: { limit: token, windowSeconds: 1 },
});

const essentials = row([5, 20, 5, 25, 5, 5, 5, 1, 5], [5, 10, 5, 5, 10, 5, 5, 5, 1], 100);

/**
 * Auth0's rate-limit-configurations pages as data, in the order of `bucketNames`. Professional has
 * the column of Essentials. `/oauth/token` is published as 30/s (Free) and 100/s (Enterprise); the
 * rows between and above carry the plan's own requests per second.
 */
export const plans = {
  free: row([2, 5, 2, 25, 1, 1, 1, 1, 5], [2, 5, 2, 5, 10, 5, 5, 5, 1], 30),
  essentials,
  professional: essentials,
  enterprise: row([25, 100, 25, 25, 10, 20, 20, 5, 20], [5, 20, 5, 5, 10, 5, 5, 5, 5], 100),
  'private-dev': row([20, 40, 20, 25, 1, 1, 1, 1, 5], [5, 20, 5, 5, 10, 5, 5, 5, 1], 100),
  'private-100': row([20, 40, 20, 25, 5, 10, 10, 5, 10], [5, 20, 5, 5, 10, 5, 5, 5, 5], 100),
  'private-500': row([100, 200, 100, 25, 25, 25, 25, 10, 25], [5, 20, 5, 5, 10, 5, 5, 5, 5], 500),
  'private-1500': row([300, 600, 300, 25, 25, 25, 25, 15, 25], [5, 20, 5, 5, 10, 5, 5, 5, 5], 1500),
  'private-3000': row(
    [600, 1200, 600, 25, 25, 25, 25, 15, 25],
    [5, 20, 5, 5, 10, 5, 5, 5, 5],
    3000,
  ),
  'private-6000': row(
    [1200, 2400, 1200, 25, 25, 25, 25, 15, 25],
    [5, 20, 5, 5, 10, 5, 5, 5, 5],
    6000,
  ),
  'private-10000': row(
    [2000, 4000, 2000, 25, 25, 25, 25, 15, 25],
    [5, 20, 5, 5, 10, 5, 5, 5, 5],
    10_000,
  ),
} as const satisfies Record<string, PlanLimits>;

/** The name of a plan of `plans`. */
export type PlanName = keyof typeof plans;

/** Every plan's name, for schemas and messages. */
export const planNames = Object.keys(plans) as PlanName[];

/**
 * Limits on single authentication steps that Auth0 publishes without regard to the plan, per user
 * unless said.
 */
export const stepLimits = {
  userinfo: { limit: 5, windowSeconds: 60, burst: 10 },
  parPerAddress: { limit: 100, windowSeconds: 1 },
  mfaOtpFailure: { limit: 10, windowSeconds: 3600 },
  mfaRecoveryFailure: { limit: 10, windowSeconds: 3600 },
  mfaPush: { limit: 5, windowSeconds: 60 },
  mfaSms: { limit: 1, windowSeconds: 3600, burst: 10 },
  mfaEmail: { limit: 1, windowSeconds: 60, burst: 20 },
  mfaOobExchange: { limit: 12, windowSeconds: 60 },
} as const satisfies Record<string, Limit>;
