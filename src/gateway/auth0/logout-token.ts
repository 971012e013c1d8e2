import { errors, jwtVerify, type JWTPayload } from 'jose';
import { Failure } from '../http/errors.ts';
import { claimProblem, clockToleranceSeconds, createTenantKeys, keysAreAway } from './id-token.ts';

/** Whom a logout token is about, and its own name; at least one of `sub` and `sid` is there. */
export interface LogoutToken {
  readonly jti: string;
  readonly sub?: string | undefined;
  readonly sid?: string | undefined;
  /** Seconds until it is worthless. */
  readonly expiresIn: number;
}

/**
 * Verifies a logout token (Back-Channel Logout 1.0 section 2.6); throws Failure `invalid_request`
 * with the reason, or `upstream_unreachable` without keys.
 */
export type VerifyLogoutToken = (token: string) => Promise<LogoutToken>;

const event = 'http://schemas.openid.net/event/backchannel-logout';
// Auth0 writes plain JWT where the standard asks for logout+jwt (RFC 8725 section 3.11); an ID
// token never has `events`, so neither is taken for the other.
const types = new Set(['jwt', 'logout+jwt', 'application/logout+jwt']);
const timely = new Set(['exp', 'nbf', 'iat']);
const longestLifeSeconds = 600;

const untimely =
  'it has expired or is not yet valid, ' +
  'or the clocks of Auth0 and of this gateway are too far apart';

const refuse = (detail: string, cause?: unknown): Failure =>
  new Failure('invalid_request', { detail: `The logout token is refused: ${detail}.`, cause });

// Whether a token was refused for one of its times.
const isUntimely = (cause: unknown): boolean => {
  if (cause instanceof errors.JWTExpired) return true;
  if (!(cause instanceof errors.JWTClaimValidationFailed)) return false;
  return cause.reason === 'check_failed' && timely.has(cause.claim);
};

/**
 * Makes the verification over the tenant's published keys, which are fetched at first use and
 * again, at most twice a minute, for a key id not seen before.
 */
export const createLogoutTokens = (options: {
  issuer: string;
  clientId: string;
  metadata: () => Promise<Readonly<Record<string, unknown>>>;
  timeoutMs: number;
  /** The signature algorithms that are taken; RS256 alone unless they are named. */
  algorithms?: readonly string[];
  /** What to add to this machine's time for the tenant's. */
  skewSeconds?: () => number;
}): VerifyLogoutToken => {
  const {
    issuer,
    clientId,
    metadata,
    timeoutMs,
    algorithms = ['RS256'],
    skewSeconds = () => 0,
  } = options;
  const keys = createTenantKeys({ metadata, timeoutMs });

  return async (token) => {
    let payload: JWTPayload;
    const now = Date.now() / 1000 + skewSeconds();
    try {
      const verified = await jwtVerify(token, keys, {
        issuer,
        audience: clientId,
        algorithms: [...algorithms],
        clockTolerance: clockToleranceSeconds,
        currentDate: new Date(now * 1000),
        requiredClaims: ['iat', 'exp', 'jti', 'events'],
      });
      if (!types.has((verified.protectedHeader.typ ?? '').toLowerCase())) {
        throw refuse('its type is not that of a logout token');
      }
      payload = verified.payload;
    } catch (cause) {
      if (cause instanceof Failure) throw cause;
      if (isUntimely(cause)) throw refuse(untimely, cause);
      if (!keysAreAway(cause)) throw refuse('signature, issuer, audience or form are wrong', cause);
      throw new Failure('upstream_unreachable', { cause });
    }
    const problem = claimProblem(payload, { clientId, now });
    if (problem === 'iat') throw refuse(untimely);
    if (problem !== undefined) throw refuse(`its ${problem} is wrong`);
    const { jti, sub, sid, iat = 0, exp = 0, events, nonce } = payload;
    if (nonce !== undefined) throw refuse('it has a nonce');
    if (typeof events !== 'object' || events === null || !(event in events))
      throw refuse('it is not about a logout');
    const detail = (events as Record<string, unknown>)[event];
    if (typeof detail !== 'object' || detail === null || Array.isArray(detail))
      throw refuse('its event is not an object');
    if (typeof jti !== 'string' || jti === '' || jti.length > 256)
      throw refuse('it has no usable jti');
    if (exp - iat > longestLifeSeconds) throw refuse('it lives too long');
    if (sub === undefined && sid === undefined) throw refuse('it names neither user nor session');
    if (sid !== undefined && (typeof sid !== 'string' || sid === ''))
      throw refuse('its sid is not a text');
    return {
      jti,
      sub,
      sid: typeof sid === 'string' ? sid : undefined,
      expiresIn: exp - iat + 2 * clockToleranceSeconds,
    };
  };
};
