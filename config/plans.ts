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
export const planBuckets = { ...byColumn, professional: byColumn.essentials } as const;

/** The name of a plan. */
export type PlanName = keyof typeof planBuckets;

/**
 * Numbers that replace those of a plan, for a contract, or for a change at Auth0 that is newer than
 * this table.
 */
export type BucketOverrides = Readonly<Partial<Record<BucketName, Partial<BucketLimits>>>>;

/** Returns the nine buckets of a plan with single numbers replaced. */
export function bucketsOf(name: PlanName, overrides: BucketOverrides = {}): PlanBuckets {
  const row = planBuckets[name];
  return Object.fromEntries(
    bucketNames.map((bucket) => [bucket, { ...row[bucket], ...overrides[bucket] }]),
  ) as Record<BucketName, BucketLimits>;
}

/** Which bucket an operation takes from. */
export interface OperationBucket {
  readonly bucket: BucketName;
  /** The query parameter with which it takes from another one. */
  readonly filtered?: { readonly by: string; readonly bucket: BucketName };
  /**
   * False where Auth0's table does not say it, and the name of the bucket or a likeness is all
   * there is (UNCONFIRMED).
   */
  readonly confirmed: boolean;
}

const of = (bucket: BucketName, confirmed = true): OperationBucket => ({ bucket, confirmed });

/**
 * The bucket of each operation, by its method and its path after `/me/v1`, where `{id}` stands for
 * one segment.
 */
export const operationBuckets: Readonly<Record<string, OperationBucket>> = {
  'GET /factors': of('factors_read'),
  'GET /authentication-methods': {
    bucket: 'authentication_methods_read',
    filtered: { by: 'type', bucket: 'authentication_methods_read_filtered' },
    confirmed: true,
  },
  'POST /authentication-methods': of('authentication_methods_write'),
  'GET /authentication-methods/{id}': of('authentication_methods_read'),
  // The row is called "write"; that a PATCH counts there is not said.
  'PATCH /authentication-methods/{id}': of('authentication_methods_write', false),
  'DELETE /authentication-methods/{id}': of('authentication_methods_write'),
  'POST /authentication-methods/{id}/verify': of('authentication_methods_write'),
  'POST /connected-accounts/connect': of('connected_accounts_create_flow', false),
  'POST /connected-accounts/complete': of('connected_accounts_create_flow', false),
  'GET /connected-accounts/accounts': of('connected_accounts_read_accounts'),
  'GET /connected-accounts/connections': of('connected_accounts_read_connections'),
  'DELETE /connected-accounts/accounts/{id}': of('connected_accounts_write', false),
  // Auth0 publishes no bucket for the profile: the careful guess is that it shares the one of the
  // methods.
  'GET /profile': of('authentication_methods_read', false),
  'PATCH /profile': of('authentication_methods_write', false),
  'GET /organizations': of('organizations_read'),
};

/**
 * What a request counts as where only three classes are told apart: `filtered` is a read of
 * authentication methods with a filter.
 */
export type CostClass = 'read' | 'write' | 'filtered';

/** The classes in the order of Auth0's table. */
export const costClasses = ['read', 'write', 'filtered'] as const satisfies readonly CostClass[];

/** The limits of the three classes. */
export interface Plan {
  readonly tenantPerSecond: Readonly<Record<CostClass, number>>;
  readonly userPerMinute: Readonly<Record<CostClass, number>>;
}

function classesOf(buckets: PlanBuckets): Plan {
  const each = (number: keyof BucketLimits) => ({
    read: buckets.authentication_methods_read[number],
    write: buckets.authentication_methods_write[number],
    filtered: buckets.authentication_methods_read_filtered[number],
  });
  return { tenantPerSecond: each('tenantPerSecond'), userPerMinute: each('userPerMinute') };
}

/**
 * Every plan as three classes: the buckets of the authentication methods, which all operations are
 * counted in.
 */
export const plans = Object.fromEntries(
  Object.entries(planBuckets).map(([name, buckets]) => [name, classesOf(buckets)]),
) as Record<PlanName, Plan>;

/** Numbers that replace those of the three classes. */
export interface PlanOverrides {
  readonly tenantPerSecond?: Readonly<Partial<Record<CostClass, number>>>;
  readonly userPerMinute?: Readonly<Partial<Record<CostClass, number>>>;
}

/** Returns the three classes of a plan with single numbers replaced. */
export function planOf(name: PlanName, overrides: PlanOverrides = {}): Plan {
  const { tenantPerSecond, userPerMinute } = plans[name];
  return {
    tenantPerSecond: { ...tenantPerSecond, ...overrides.tenantPerSecond },
    userPerMinute: { ...userPerMinute, ...overrides.userPerMinute },
  };
}
