import { OAuthError } from '../auth0/grant.ts';
import { Failure } from '../http/errors.ts';

const wrong = new Set(['invalid_grant', 'invalid_user_password', 'invalid_otp', 'access_denied']);
const tooMany = new Set(['too_many_attempts', 'too_many_requests']);
// What the person can do something about, by Auth0's codes; its own texts are never passed on.
const told: Readonly<Record<string, string>> = {
  unauthorized: 'Auth0 does not let this account in.',
  password_leaked: 'This password is known from a breach elsewhere. Reset it first.',
  requires_verification: 'Auth0 saw something unusual. Sign in at its own page instead.',
  unsupported_challenge_type: 'You have no such second factor.',
  association_required: 'You have no second factor yet. Enrol one first.',
};

/**
 * Turns what Auth0 refused into the failure the page gets, decided by `error` and status alone;
 * what never reached Auth0 is thrown on as it is.
 */
export const failureOf = (cause: unknown): Failure => {
  if (!(cause instanceof OAuthError))
    return cause instanceof Failure ? cause : new Failure('internal', { cause });
  const { error, status, retryAfterSeconds } = cause;
  if (error === 'expired_token')
    return new Failure('login_expired', { detail: 'It took too long. Begin again.' });
  // A push not yet answered: not a refusal, the caller tells the page to ask again.
  if (error === 'authorization_pending' || error === 'slow_down')
    return new Failure('mfa_required', { cause });
  if (tooMany.has(error) || status === 429)
    return new Failure('too_many_attempts', {
      headers: { 'Retry-After': String(Math.max(1, retryAfterSeconds ?? 60)) },
    });
  if (wrong.has(error))
    return new Failure('wrong_credentials', { detail: 'Check what you entered, and try again.' });
  const detail = told[error];
  if (detail !== undefined) return new Failure('forbidden', { detail });
  if (error === 'invalid_request')
    return new Failure('invalid_request', {
      detail: 'Auth0 does not accept these details.',
      cause,
    });
  return new Failure('login_failed', {
    detail: 'This way to sign in is not set up at Auth0. Tell the operator.',
    cause,
  });
};
