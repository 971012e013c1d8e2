import type { CostClass } from '../../../config/plans.ts';
import { Failure } from '../http/errors.ts';
import type { Quota } from '../limiter/quota.ts';

/** Says no for want of room: in the user's own budget `rate_limited` with their numbers, in the tenant's, which are nobody's business, `tenant_busy`. */
export const limited = (
  by: 'user' | 'tenant',
  seconds: number,
  own: {
    readonly quota: Quota;
    readonly cost: CostClass;
    readonly headers: (quota: Quota, cost: CostClass) => Readonly<Record<string, string>>;
  },
): Failure =>
  by === 'user'
    ? new Failure('rate_limited', { headers: { ...own.headers(own.quota, own.cost), 'Retry-After': String(seconds) } })
    : new Failure('tenant_busy', { headers: { 'Retry-After': String(seconds) } });

/** Whether a failure is one of those. */
export const isLimited = (error: unknown): boolean =>
  error instanceof Failure && (error.code === 'rate_limited' || error.code === 'tenant_busy');
