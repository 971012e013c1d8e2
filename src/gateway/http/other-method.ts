import type { RequestHandler } from 'express';
import { Failure } from './errors.ts';

/** Refuses every method but those of `allow`, which handlers before it have answered (RFC 9110 section 15.5.6). */
export const otherMethod =
  (allow: string): RequestHandler =>
  () => {
    throw new Failure('method_not_allowed', { headers: { Allow: allow } });
  };
