import type { Buckets, Drawn, Limit } from '../state/buckets.ts';

/** What a request counts as: a read, a write, or a read of authentication methods narrowed by `type`. */
export type CostClass = 'read' | 'write' | 'filtered';

/** Whose bucket it is: everything the tenant is asked, or what one user asks. */
export type LimitOwner = 'tenant' | 'user';

/** The limits that hold now: one row of Auth0's table, single numbers replaced where the settings say so. */
export type LimitRow = Readonly<Record<LimitOwner, Readonly<Record<CostClass, Limit>>>>;

/** Whether a request may pass, and the limit that decided it or would refuse first. */
export interface RateVerdict {
  readonly by: LimitOwner;
  readonly drawn: Drawn;
}

/**
 * Takes one request of the user (or of nobody known) from the tenant's and the user's bucket together, or from neither.
 *
 * Auth0, "Rate Limit Configurations": tenant limits hold for "any request", user limits for one user id; each by read, write and filtered.
 */
export function takeRate(buckets: Buckets, limits: LimitRow, { cost, user }: { cost: CostClass; user: string | undefined }): RateVerdict {
  const tenant = { key: `me tenant ${cost}`, limit: limits.tenant[cost] };
  const own = user === undefined ? undefined : { key: `me user ${cost} ${user}`, limit: limits.user[cost] };
  const ofTenant = buckets.look(tenant.key, tenant.limit);
  if (!ofTenant.allowed) return { by: 'tenant', drawn: ofTenant };
  const ofUser = own && buckets.look(own.key, own.limit);
  if (ofUser && !ofUser.allowed) return { by: 'user', drawn: ofUser };
  const tenantLeft = buckets.take(tenant.key, tenant.limit);
  const userLeft = own && buckets.take(own.key, own.limit);
  return userLeft && userLeft.remaining <= tenantLeft.remaining ? { by: 'user', drawn: userLeft } : { by: 'tenant', drawn: tenantLeft };
}

/** What the limits say without taking anything, for a request that does not count: it always passes. */
export function lookRate(buckets: Buckets, limits: LimitRow, { cost, user }: { cost: CostClass; user: string | undefined }): RateVerdict {
  const drawn =
    user === undefined
      ? buckets.look(`me tenant ${cost}`, limits.tenant[cost])
      : buckets.look(`me user ${cost} ${user}`, limits.user[cost]);
  return { by: user === undefined ? 'tenant' : 'user', drawn: { ...drawn, allowed: true } };
}

/** The headers of Auth0's answers: `x-ratelimit-*` always, `retry-after` with a refusal, `x-auth0-error-kind` only for the tenant's limit. */
export function rateLimitHeaders({ by, drawn }: RateVerdict): Record<string, string> {
  return {
    'x-ratelimit-limit': String(drawn.limit),
    'x-ratelimit-remaining': String(drawn.remaining),
    'x-ratelimit-reset': String(drawn.resetAt),
    ...(drawn.allowed ? {} : { 'retry-after': String(drawn.retryAfter) }),
    ...(!drawn.allowed && by === 'tenant' ? { 'x-auth0-error-kind': 'global-rate-limit' } : {}),
  };
}
