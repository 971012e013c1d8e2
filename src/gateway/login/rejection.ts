import type { Grant } from '../auth0/grant.ts';
import type { Transaction } from './transactions.ts';

/** Why a grant does not do what the transaction was for; undefined when it does. */
export type RejectionReason =
  'another_user' | 'wrong_audience' | 'not_bound' | 'acr_unmet' | 'auth_time_too_old';

/** What a person is told for each reason. */
export const rejectionDetails: Readonly<Record<RejectionReason, string>> = {
  another_user:
    'You confirmed as another user. Nothing was changed, and you are still signed in as before.',
  wrong_audience:
    'Auth0 answered with a token for another API. ' +
    'The operator has to activate the My Account API and grant it to this application.',
  not_bound:
    'Auth0 did not bind the tokens to the key of this sign-in. ' +
    'The operator has to allow DPoP for the API, or switch it off here.',
  acr_unmet:
    'Auth0 did not ask for a second factor. ' +
    'Add one first, or ask the operator to require MFA where it is requested.',
  auth_time_too_old:
    'Auth0 did not ask you to sign in afresh, so this does not count as a confirmation.',
};
// Between authenticating and issuing the ID token a tenant takes a moment, a person at a consent
// page longer.
const graceSeconds = 120;

/**
 * Holds a step-up's outcome against what was asked: same subject, `acr`, and `auth_time` within
 * `maxAge` (OpenID Connect Core 2 and 3.1.2.1).
 */
export const rejectionReason = (
  grant: Grant,
  transaction: Transaction,
  expected: { audience: string; acrValues: string; maxAgeSeconds: number; bound?: boolean },
): RejectionReason | undefined => {
  if (!grant.audience.includes(expected.audience)) return 'wrong_audience';
  if ((expected.bound === true) !== (grant.tokenType === 'DPoP')) return 'not_bound';
  if (transaction.kind !== 'step-up') return undefined;
  if (transaction.sub !== grant.sub) return 'another_user';
  if (expected.acrValues === '') return undefined;
  const { acr, iat, auth_time: authTime } = grant.claims;
  if (typeof acr !== 'string' || !expected.acrValues.split(' ').includes(acr)) return 'acr_unmet';
  // Both times are the tenant's own, so no other clock has a say.
  const age = typeof iat === 'number' && typeof authTime === 'number' ? iat - authTime : Infinity;
  return age > expected.maxAgeSeconds + graceSeconds ? 'auth_time_too_old' : undefined;
};
