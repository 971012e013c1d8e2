import type { Limit } from './buckets.ts';

const perSecond = (limit: number): Limit => ({ limit, windowSeconds: 1 });
const perMinute = (limit: number): Limit => ({ limit, windowSeconds: 60 });

/** Auth0's published limits of one plan. My Account: tenant and user, each by read, write and filtered. */
export interface PlanLimits {
  tenant: { read: Limit; write: Limit; filtered: Limit };
  user: { read: Limit; write: Limit; filtered: Limit };
  /** `/oauth/token` and the other authentication endpoints, tenant-wide. */
  token: Limit;
}

const row = (tenant: [number, number, number], user: [number, number, number], token: number): PlanLimits => ({
  tenant: { read: perSecond(tenant[0]), write: perSecond(tenant[1]), filtered: perSecond(tenant[2]) },
  user: { read: perMinute(user[0]), write: perMinute(user[1]), filtered: perMinute(user[2]) },
  token: perSecond(token),
});

/**
 * Auth0's rate-limit-configurations pages as data: the My Account rows per plan. `/oauth/token` is published as 30/s (Free) and
 * 100/s (Enterprise); the rows between and above carry the plan's own requests per second.
 */
export const plans = {
  free: row([2, 2, 5], [2, 2, 5], 30),
  essentials: row([5, 5, 20], [5, 5, 10], 100),
  professional: row([5, 5, 20], [5, 5, 10], 100),
  enterprise: row([25, 25, 100], [5, 5, 20], 100),
  'private-100': row([20, 20, 40], [5, 5, 20], 100),
  'private-500': row([100, 100, 200], [5, 5, 20], 500),
  'private-1500': row([300, 300, 600], [5, 5, 20], 1500),
  'private-3000': row([600, 600, 1200], [5, 5, 20], 3000),
  'private-6000': row([1200, 1200, 2400], [5, 5, 20], 6000),
  'private-10000': row([2000, 2000, 4000], [5, 5, 20], 10_000),
} as const satisfies Record<string, PlanLimits>;

/** The name of a plan of `plans`. */
export type PlanName = keyof typeof plans;

/** Every plan's name, for schemas and messages. */
export const planNames = Object.keys(plans) as PlanName[];

/** Limits on single authentication steps that Auth0 publishes without regard to the plan, per user unless said. */
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
