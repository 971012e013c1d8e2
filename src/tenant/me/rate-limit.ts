import type { Buckets, Drawn, Limit } from '../state/buckets.ts';
import { plans, type BucketName, type LimitOwner } from '../state/plans.ts';
import type { Settings } from '../state/settings.ts';
import type { Operation } from './operations.ts';

/** Whether a request may pass, and the limit that decided it or would refuse first. */
export interface RateVerdict {
  readonly by: LimitOwner;
  readonly drawn: Drawn;
}

/**
 * Which bucket a request asks, with the limits that hold there, and whose request it is; undefined
 * for nobody known.
 */
export interface RateQuestion {
  readonly bucket: string;
  readonly limits: Readonly<Record<LimitOwner, Limit>>;
  readonly user: string | undefined;
}

/**
 * Counts one request of a user, or of nobody known, in the bucket of its operation under the limits
 * that hold now; one that the settings say counts as nothing only looks.
 */
export function countRequest(
  { buckets, settings }: { buckets: Buckets; settings: () => Settings },
  operation: Operation,
  query: object,
  user: string | undefined,
): RateVerdict {
  const now = settings();
  const bucket = bucketOf(operation, query);
  const question = { bucket, limits: limitsOf(now, bucket), user };
  return counts(operation, now) ? takeRate(buckets, question) : lookRate(buckets, question);
}

/**
 * Takes one request from the tenant's and the user's part of a bucket together, or from neither.
 *
 * Auth0, "Rate Limit Configurations": the tenant's limit holds for any request, a user's for one
 * user id.
 */
export function takeRate(buckets: Buckets, { bucket, limits, user }: RateQuestion): RateVerdict {
  const tenant = `me tenant ${bucket}`;
  const own = user === undefined ? undefined : `me user ${bucket} ${user}`;
  const ofTenant = buckets.look(tenant, limits.tenant);
  if (!ofTenant.allowed) return { by: 'tenant', drawn: ofTenant };
  const ofUser = own === undefined ? undefined : buckets.look(own, limits.user);
  if (ofUser && !ofUser.allowed) return { by: 'user', drawn: ofUser };
  const tenantLeft = buckets.take(tenant, limits.tenant);
  const userLeft = own === undefined ? undefined : buckets.take(own, limits.user);
  return userLeft && userLeft.remaining <= tenantLeft.remaining
    ? { by: 'user', drawn: userLeft }
    : { by: 'tenant', drawn: tenantLeft };
}

/** Says what is left without taking anything: such a request always passes. */
function lookRate(buckets: Buckets, { bucket, limits, user }: RateQuestion): RateVerdict {
  const by = user === undefined ? 'tenant' : 'user';
  const key = user === undefined ? `me tenant ${bucket}` : `me user ${bucket} ${user}`;
  return { by, drawn: { ...buckets.look(key, limits[by]), allowed: true } };
}

function bucketOf({ bucket, filtered }: Operation, query: object): BucketName {
  return filtered !== undefined && filtered.by in query ? filtered.bucket : bucket;
}

/** The plan's numbers, single ones replaced by the settings. */
function limitsOf({ plan, limits }: Settings, bucket: BucketName): Record<LimitOwner, Limit> {
  const row = plans[plan].me[bucket];
  const of = (owner: LimitOwner): Limit => ({
    ...row[owner],
    limit: limits[owner][bucket] ?? row[owner].limit,
  });
  return { tenant: of('tenant'), user: of('user') };
}

/**
 * What no source of Auth0 settles is a switch: whether a PATCH counts, and whether the profile
 * does.
 */
function counts({ method, path }: Operation, { limits, switches }: Settings): boolean {
  if (!limits.enforced || (method === 'PATCH' && switches.patchCost === 'none')) return false;
  return path !== '/profile' || switches.profileLimits === 'methods';
}

/**
 * The headers of Auth0's answers: `x-ratelimit-*` always, `retry-after` with a refusal,
 * `x-auth0-error-kind` only for the tenant's limit.
 */
export function rateLimitHeaders({ by, drawn }: RateVerdict): Record<string, string> {
  return {
    'x-ratelimit-limit': String(drawn.limit),
    'x-ratelimit-remaining': String(drawn.remaining),
    'x-ratelimit-reset': String(drawn.resetAt),
    ...(drawn.allowed ? {} : { 'retry-after': String(drawn.retryAfter) }),
    ...(!drawn.allowed && by === 'tenant' ? { 'x-auth0-error-kind': 'global-rate-limit' } : {}),
  };
}
