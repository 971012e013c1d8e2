import { decodeJwt } from 'jose';

/**
 * What a token endpoint granted, as this gateway reads it: scope and audience as they are in the
 * token, not as they were asked for.
 */
export interface Grant {
  readonly sub: string;
  readonly sid?: string | undefined;
  /** Claims of the ID token that came with it. */
  readonly claims: Readonly<Record<string, unknown>>;
  readonly idToken: string;
  readonly refreshToken?: string | undefined;
  readonly accessToken: string;
  readonly tokenType: 'Bearer' | 'DPoP';
  /** Seconds from now, as the tenant said it. */
  readonly expiresIn: number;
  readonly audience: readonly string[];
  readonly scope: readonly string[];
  /** A recovery code that takes the place of one just used; to be shown once. */
  readonly recoveryCode?: string;
}

/**
 * The outcome of a refresh, decided by `error` alone: Auth0 sends 400, 401 and 403 for the same
 * thing. `dead` means that the refresh token will never be accepted again, `temporary` that it may
 * be tried again.
 */
export type RefreshResult =
  | { readonly kind: 'renewed'; readonly grant: RefreshGrant }
  | { readonly kind: 'step_up'; readonly reason: string }
  | { readonly kind: 'dead'; readonly reason: string }
  | {
      readonly kind: 'temporary';
      readonly reason: string;
      readonly retryAfterSeconds?: number | undefined;
    };

/** A grant by refresh: an ID token or a new refresh token need not come with it. */
export type RefreshGrant = Omit<Grant, 'idToken' | 'claims' | 'sub' | 'sid'> & {
  readonly idToken?: string | undefined;
  readonly sub?: string | undefined;
};

/** An OAuth error answer (RFC 6749 section 5.2, or the redirect of section 4.1.2.1). */
export class OAuthError extends Error {
  readonly error: string;
  readonly status: number | undefined;
  readonly body: Readonly<Record<string, unknown>>;
  readonly retryAfterSeconds: number | undefined;
  constructor(
    error: string,
    details: {
      status?: number | undefined;
      body?: Record<string, unknown>;
      retryAfterSeconds?: number | undefined;
      cause?: unknown;
    },
  ) {
    super(error, { cause: details.cause });
    this.name = 'OAuthError';
    this.error = error;
    this.status = details.status;
    this.body = details.body ?? {};
    this.retryAfterSeconds = details.retryAfterSeconds;
  }
}

/**
 * Reads a 401 with `WWW-Authenticate`, which openid-client throws with its body unread: Auth0's
 * `error` stands there.
 */
export const readChallenge = async (
  cause: Error & { readonly status: number; readonly response: Response },
): Promise<OAuthError> => {
  const body = (await cause.response.json().catch(() => ({}))) as Record<string, unknown>;
  const error = typeof body['error'] === 'string' ? body['error'] : 'invalid_client';
  return new OAuthError(error, { status: cause.status, body, cause });
};

// What a user can resolve by signing in again with more: Auth0's Default Policy answers the first
// two, the others are OpenID Connect Core 3.1.2.6.
const needsUser = new Set([
  'mfa_required',
  'unmet_authentication_requirements',
  'interaction_required',
  'login_required',
  'consent_required',
]);

/**
 * Returns what a failed refresh means: `step_up`, `dead` (`invalid_grant`, RFC 6749 section 5.2) or
 * `temporary` (everything else).
 */
export const interpretRefreshFailure = (
  failure: unknown,
): Exclude<RefreshResult, { kind: 'renewed' }> => {
  if (!(failure instanceof OAuthError)) return { kind: 'temporary', reason: 'unreachable' };
  if (needsUser.has(failure.error)) return { kind: 'step_up', reason: failure.error };
  if (failure.error === 'invalid_grant') return { kind: 'dead', reason: failure.error };
  return { kind: 'temporary', reason: failure.error, retryAfterSeconds: failure.retryAfterSeconds };
};

/** A response of the token endpoint after its ID token was checked. */
interface TokenResponse {
  readonly access_token: string;
  readonly token_type: string;
  readonly expires_in?: number | undefined;
  readonly scope?: string | undefined;
  readonly refresh_token?: string | undefined;
  readonly id_token?: string | undefined;
  readonly recovery_code?: unknown;
  claims(): { readonly sub: string; readonly [claim: string]: unknown } | undefined;
}

/**
 * Reads the part of a grant that a refresh has as well; scope and audience come from the access
 * token itself, where it is a JWT.
 */
export const commonGrant = (
  tokens: TokenResponse,
): Omit<Grant, 'idToken' | 'claims' | 'sub' | 'sid'> => {
  const inside = readJwt(tokens.access_token);
  const scope = tokens.scope ?? (typeof inside['scope'] === 'string' ? inside['scope'] : '');
  const aud = inside['aud'];
  return {
    refreshToken: tokens.refresh_token,
    accessToken: tokens.access_token,
    tokenType: tokens.token_type.toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer',
    expiresIn: tokens.expires_in ?? 0,
    audience: Array.isArray(aud) ? aud.map(String) : typeof aud === 'string' ? [aud] : [],
    scope: scope.split(' ').filter((each) => each !== ''),
  };
};

/** Reads a grant with its ID token; throws OAuthError `invalid_response` when none came. */
export const fullGrant = (tokens: TokenResponse): Grant => {
  const claims = tokens.claims();
  if (claims === undefined || tokens.id_token === undefined)
    throw new OAuthError('invalid_response', {});
  const sid = claims['sid'];
  return {
    ...commonGrant(tokens),
    idToken: tokens.id_token,
    claims,
    sub: claims.sub,
    sid: typeof sid === 'string' ? sid : undefined,
    ...(typeof tokens.recovery_code === 'string' && { recoveryCode: tokens.recovery_code }),
  };
};

const readJwt = (token: string): Record<string, unknown> => {
  try {
    return decodeJwt(token);
  } catch {
    return {};
  }
};
