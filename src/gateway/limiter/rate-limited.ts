import type { BucketName } from '../../../config/plans.ts';
import { Failure } from '../http/errors.ts';
import { rateLimitHeaders, type BucketQuota } from './headers.ts';

/**
 * Returns the refusal for want of room: in the user's own bucket `rate_limited` with their numbers,
 * in the tenant's, which are nobody's business, `tenant_busy`.
 */
export const rateLimited = (
  by: 'user' | 'tenant',
  seconds: number,
  own: { readonly quota: BucketQuota; readonly bucket: BucketName },
): Failure =>
  by === 'user'
    ? new Failure('rate_limited', {
        headers: { ...rateLimitHeaders(own.bucket, own.quota), 'Retry-After': String(seconds) },
      })
    : new Failure('tenant_busy', { headers: { 'Retry-After': String(seconds) } });

/** Whether a failure is one of those. */
export const isRateLimited = (error: unknown): boolean =>
  error instanceof Failure && (error.code === 'rate_limited' || error.code === 'tenant_busy');
