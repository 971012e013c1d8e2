import { createRemoteJWKSet, customFetch, errors, jwtVerify, type JWTVerifyGetKey } from 'jose';
import { Failure } from '../http/errors.ts';
import { OAuthError } from './grant.ts';

/**
 * How far a time in a token may lie ahead of the tenant's clock as seen from here, in seconds:
 * clocks may disagree by minutes.
 */
export const clockToleranceSeconds = 330;

/** What of an ID token is believed once it was verified. */
export interface IdTokenClaims {
  readonly sub: string;
  readonly [claim: string]: unknown;
}

/**
 * Verifies an ID token's signature, issuer, audience, authorized party, times and subject (OpenID
 * Connect Core 3.1.3.7); throws OAuthError with what was wrong, Failure `upstream_unreachable`
 * when the tenant's keys cannot be had. Nonce and `max_age` are checked by whoever asked for them.
 */
export type VerifyIdToken = (token: string) => Promise<IdTokenClaims>;

/**
 * Makes the tenant's published keys, fetched at first use and again, at most twice a minute, for a
 * key id that was not seen before.
 */
export const createTenantKeys = (options: {
  metadata: () => Promise<Readonly<Record<string, unknown>>>;
  timeoutMs: number;
}): JWTVerifyGetKey => {
  let keys: JWTVerifyGetKey | undefined;
  return async (header, token) => {
    const at = new URL(String((await options.metadata())['jwks_uri']));
    keys ??= createRemoteJWKSet(at, { timeoutDuration: options.timeoutMs, [customFetch]: fetch });
    return keys(header, token);
  };
};

/** Whether the keys could not be had, in contrast to a token that is wrong. */
export const keysAreAway = (cause: unknown): boolean =>
  !(cause instanceof errors.JOSEError) ||
  cause instanceof errors.JWKSTimeout ||
  cause.code === 'ERR_JOSE_GENERIC';

// Whether a token was refused since its key is none of those that are known.
const isUnknownKey = (failure: unknown): boolean =>
  failure instanceof OAuthError && failure.cause instanceof errors.JWKSNoMatchingKey;

/**
 * The rules for both kinds of tokens that a tenant signs for this application: with several
 * audiences `azp` names the one it is for, no time lies ahead, a subject is a text that is not
 * empty. Answers what is wrong, or undefined.
 */
export const claimProblem = (
  claims: Readonly<Record<string, unknown>>,
  expected: { readonly clientId: string; readonly now: number },
): 'azp' | 'iat' | 'auth_time' | 'sub' | undefined => {
  const { aud, azp, sub, iat, auth_time: authTime } = claims;
  const several = Array.isArray(aud) && aud.length > 1;
  if ((several || azp !== undefined) && azp !== expected.clientId) return 'azp';
  if (sub !== undefined && (typeof sub !== 'string' || sub === '')) return 'sub';
  const ahead = (time: unknown): boolean =>
    typeof time !== 'number' || !(time <= expected.now + clockToleranceSeconds);
  if (ahead(iat)) return 'iat';
  return authTime !== undefined && ahead(authTime) ? 'auth_time' : undefined;
};

/** Makes the verification; only `algorithms` are taken, whatever a token's head says. */
export const createIdTokens = (options: {
  issuer: string;
  clientId: string;
  algorithms: readonly string[];
  keys: JWTVerifyGetKey;
  /** What to add to this machine's time for the tenant's. */
  skewSeconds: () => number;
}): VerifyIdToken => {
  const { issuer, clientId, algorithms, keys, skewSeconds } = options;
  return async (token) => {
    const now = Date.now() / 1000 + skewSeconds();
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      audience: clientId,
      algorithms: [...algorithms],
      clockTolerance: clockToleranceSeconds,
      currentDate: new Date(now * 1000),
      requiredClaims: ['sub', 'iat', 'exp'],
    }).catch((cause: unknown) => {
      if (keysAreAway(cause)) throw new Failure('upstream_unreachable', { cause });
      const late = cause instanceof errors.JWTExpired;
      throw new OAuthError(late ? timestamps : 'invalid_id_token', { cause });
    });
    const problem = claimProblem(payload, { clientId, now });
    if (problem === 'iat' || problem === 'auth_time') throw new OAuthError(timestamps, {});
    if (problem !== undefined) throw new OAuthError('invalid_id_token', {});
    return payload as IdTokenClaims;
  };
};

// As openid-client names it; login/callback tells an operator to look at the clocks.
const timestamps = 'OAUTH_JWT_TIMESTAMP_CHECK_FAILED';

/**
 * Returns what is known by the ID token of a refresh, which need not bring one. One that cannot be
 * verified for want of keys is ignored, so that the spent refresh token's successor is kept. Any
 * other that fails is not this user's: its subject is empty, which no session has.
 */
export const refreshedIdToken = async (
  verify: VerifyIdToken,
  idToken: string | undefined,
): Promise<{ idToken?: string; sub?: string }> => {
  if (idToken === undefined) return {};
  try {
    return { idToken, sub: (await verify(idToken)).sub };
  } catch (failure) {
    // A key that is new at the tenant may not be published yet.
    return failure instanceof Failure || isUnknownKey(failure) ? {} : { sub: '' };
  }
};
