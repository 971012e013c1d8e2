import type { Grant, RefreshGrant } from '../auth0/grant.ts';
import type { AccessToken } from '../session/record.ts';

// Renewed a tenth of its life before its end, a minute at most: early enough that no token expires
// on its way to Auth0.
const earliestMs = 60_000;

/**
 * Returns the access token of a grant as a session keeps it; undefined when it is for another
 * audience than the one asked for, or bound where the session's tokens are not, or the reverse.
 */
export const grantedToken = (
  grant: Grant | RefreshGrant,
  audience: string,
  now: number,
  bound: boolean,
): AccessToken | undefined => {
  // A token that is no JWT names no audience; the tenant only issues such for /userinfo.
  if (!grant.audience.includes(audience)) return undefined;
  // RFC 9449 section 5: a bearer token where a bound one was asked for is a downgrade, never
  // accepted.
  if (bound !== (grant.tokenType === 'DPoP')) return undefined;
  const lifeMs = grant.expiresIn * 1000;
  return {
    audience,
    scope: grant.scope,
    value: grant.accessToken,
    expiresAt: now + lifeMs,
    renewAt: now + lifeMs - Math.min(earliestMs, lifeMs / 10),
  };
};
