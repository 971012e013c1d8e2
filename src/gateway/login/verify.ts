import type { Grant } from '../auth0/grant.ts';
import type { Transaction } from './transactions.ts';

/** Why a grant does not do what the transaction was for; undefined when it does. */
export type Objection = 'another_user' | 'wrong_audience' | 'not_bound' | 'acr_unmet' | 'auth_time_too_old';

// Between authenticating and issuing the ID token a tenant takes a moment, a person at a consent page longer.
const graceSeconds = 120;

/** Holds a step-up's outcome against what was asked: same subject, `acr`, and `auth_time` within `maxAge` (OpenID Connect Core 2 and 3.1.2.1). */
export const objection = (
  grant: Grant,
  transaction: Transaction,
  expected: { audience: string; acrValues: string; maxAgeSeconds: number; bound?: boolean },
): Objection | undefined => {
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
