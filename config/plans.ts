/**
 * What a request to the My Account API counts as: `read` is GET, `write` is POST, PATCH, PUT and DELETE,
 * `filtered` is the list of authentication methods asked for with a filter.
 */
export type CostClass = 'read' | 'write' | 'filtered';

/** The classes in the order of Auth0's table. */
export const costClasses = ['read', 'write', 'filtered'] as const satisfies readonly CostClass[];

/** One row of Auth0's table: for the whole tenant per second, for one user per minute; the burst equals the number. */
export interface Plan {
  readonly tenantPerSecond: Readonly<Record<CostClass, number>>;
  readonly userPerMinute: Readonly<Record<CostClass, number>>;
}

const row = (tenant: readonly [number, number, number], user: readonly [number, number, number]): Plan => ({
  tenantPerSecond: { read: tenant[0], write: tenant[1], filtered: tenant[2] },
  userPerMinute: { read: user[0], write: user[1], filtered: user[2] },
});

/**
 * Auth0's published limits of the My Account API, read, write and filtered in this order.
 * https://auth0.com/docs/troubleshoot/customer-support/operational-policies/rate-limit-policy/rate-limit-configurations
 */
export const plans = {
  free: row([2, 2, 5], [2, 2, 5]),
  essentials: row([5, 5, 20], [5, 5, 10]),
  professional: row([5, 5, 20], [5, 5, 10]),
  enterprise: row([25, 25, 100], [5, 5, 20]),
  'private-dev': row([20, 20, 40], [5, 5, 20]),
  'private-100': row([20, 20, 40], [5, 5, 20]),
  'private-500': row([100, 100, 200], [5, 5, 20]),
  'private-1500': row([300, 300, 600], [5, 5, 20]),
  'private-3000': row([600, 600, 1200], [5, 5, 20]),
  'private-6000': row([1200, 1200, 2400], [5, 5, 20]),
  'private-10000': row([2000, 2000, 4000], [5, 5, 20]),
} as const satisfies Record<string, Plan>;

/** A row of the table. */
export type PlanName = keyof typeof plans;

/** Numbers that replace those of the row, for a contract or a change at Auth0 this table does not know yet. */
export interface PlanOverrides {
  readonly tenantPerSecond?: Readonly<Partial<Record<CostClass, number>>>;
  readonly userPerMinute?: Readonly<Partial<Record<CostClass, number>>>;
}

/** A published row with single numbers replaced. */
export function planOf(name: PlanName, overrides: PlanOverrides = {}): Plan {
  const { tenantPerSecond, userPerMinute } = plans[name];
  return {
    tenantPerSecond: { ...tenantPerSecond, ...overrides.tenantPerSecond },
    userPerMinute: { ...userPerMinute, ...overrides.userPerMinute },
  };
}
