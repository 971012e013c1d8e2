/**
 * Auth0's nine buckets of the My Account API, by Auth0's names, in the order of its table. Each is
 * one for the whole tenant, per second, and one for every user, per minute; the burst is the
 * number.
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

/** What one bucket gives. */
export interface BucketLimits {
  readonly tenantPerSecond: number;
  readonly userPerMinute: number;
}

/** The nine buckets of a plan. */
export type PlanBuckets = Readonly<Record<BucketName, BucketLimits>>;

/** Auth0's ten columns: nine plans of their own, and Essentials, which Professional shares. */
const columns = [
  'free',
  'essentials',
  'enterprise',
  'private-dev',
  'private-100',
  'private-500',
  'private-1500',
  'private-3000',
  'private-6000',
  'private-10000',
] as const;

type Ten = readonly [
  ...(readonly [number, number, number, number, number]),
  ...(readonly [number, number, number, number, number]),
];

/**
 * Auth0's published limits of the My Account API, a number for each column.
 * https://auth0.com/docs/troubleshoot/customer-support/operational-policies/rate-limit-policy/rate-limit-configurations
 */
const published: Readonly<Record<BucketName, { readonly tenant: Ten; readonly user: Ten }>> = {
  authentication_methods_read: {
    tenant: [2, 5, 25, 20, 20, 100, 300, 600, 1200, 2000],
    user: [2, 5, 5, 5, 5, 5, 5, 5, 5, 5],
  },
  authentication_methods_read_filtered: {
    tenant: [5, 20, 100, 40, 40, 200, 600, 1200, 2400, 4000],
    user: [5, 10, 20, 20, 20, 20, 20, 20, 20, 20],
  },
  authentication_methods_write: {
    tenant: [2, 5, 25, 20, 20, 100, 300, 600, 1200, 2000],
    user: [2, 5, 5, 5, 5, 5, 5, 5, 5, 5],
  },
  factors_read: {
    tenant: [25, 25, 25, 25, 25, 25, 25, 25, 25, 25],
    user: [5, 5, 5, 5, 5, 5, 5, 5, 5, 5],
  },
  connected_accounts_create_flow: {
    tenant: [1, 5, 10, 1, 5, 25, 25, 25, 25, 25],
    user: [10, 10, 10, 10, 10, 10, 10, 10, 10, 10],
  },
  connected_accounts_read_accounts: {
    tenant: [1, 5, 20, 1, 10, 25, 25, 25, 25, 25],
    user: [5, 5, 5, 5, 5, 5, 5, 5, 5, 5],
  },
  connected_accounts_read_connections: {
    tenant: [1, 5, 20, 1, 10, 25, 25, 25, 25, 25],
    user: [5, 5, 5, 5, 5, 5, 5, 5, 5, 5],
  },
  connected_accounts_write: {
    tenant: [1, 1, 5, 1, 5, 10, 15, 15, 15, 15],
    user: [5, 5, 5, 5, 5, 5, 5, 5, 5, 5],
  },
  organizations_read: {
    tenant: [5, 5, 20, 5, 10, 25, 25, 25, 25, 25],
    user: [1, 1, 5, 1, 5, 5, 5, 5, 5, 5],
  },
};

const column = (at: number): PlanBuckets =>
  Object.fromEntries(
    bucketNames.map((bucket) => {
      const { tenant, user } = published[bucket];
      return [bucket, { tenantPerSecond: tenant[at] ?? 0, userPerMinute: user[at] ?? 0 }];
    }),
  ) as Record<BucketName, BucketLimits>;

type Column = (typeof columns)[number];
const byColumn = Object.fromEntries(columns.map((name, at) => [name, column(at)])) as {
  readonly [name in Column]: PlanBuckets;
};

/** Every plan with its nine buckets: the eleven values that AUTH0_PLAN takes. */
export const plans = { ...byColumn, professional: byColumn.essentials } as const;

/** The name of a plan. */
export type PlanName = keyof typeof plans;

/**
 * Numbers that replace those of a plan, for a contract, or for a change at Auth0 that is newer than
 * this table.
 */
export type BucketOverrides = Readonly<Partial<Record<BucketName, Partial<BucketLimits>>>>;

/** Returns the nine buckets of a plan with single numbers replaced. */
export function bucketsOf(name: PlanName, overrides: BucketOverrides = {}): PlanBuckets {
  const row = plans[name];
  return Object.fromEntries(
    bucketNames.map((bucket) => [bucket, { ...row[bucket], ...overrides[bucket] }]),
  ) as Record<BucketName, BucketLimits>;
}
