/** What a token endpoint granted, as this gateway reads it: scope and audience as they are in the token, not as they were asked for. */
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

/** An answer of the token endpoint to a refresh, told apart by `error` alone: Auth0 sends 400, 401 and 403 for the same thing. */
export type Refreshed =
  | { readonly kind: 'renewed'; readonly grant: RefreshGrant }
  | { readonly kind: 'step_up'; readonly reason: string }
  | { readonly kind: 'dead'; readonly reason: string }
  | { readonly kind: 'passing'; readonly reason: string; readonly retryAfterSeconds?: number | undefined };

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
    details: { status?: number | undefined; body?: Record<string, unknown>; retryAfterSeconds?: number | undefined; cause?: unknown },
  ) {
    super(error, { cause: details.cause });
    this.name = 'OAuthError';
    this.error = error;
    this.status = details.status;
    this.body = details.body ?? {};
    this.retryAfterSeconds = details.retryAfterSeconds;
  }
}

// What a person can mend by signing in again with more: Auth0's Default Policy answers the first two, the others are OpenID Connect Core 3.1.2.6.
const mendable = new Set([
  'mfa_required',
  'unmet_authentication_requirements',
  'interaction_required',
  'login_required',
  'consent_required',
]);

/** Sorts a failed refresh: step-up needed, dead (`invalid_grant`, RFC 6749 section 5.2), or passing (everything that may be better in a moment). */
export const sortRefreshFailure = (failure: unknown): Exclude<Refreshed, { kind: 'renewed' }> => {
  if (!(failure instanceof OAuthError)) return { kind: 'passing', reason: 'unreachable' };
  if (mendable.has(failure.error)) return { kind: 'step_up', reason: failure.error };
  if (failure.error === 'invalid_grant') return { kind: 'dead', reason: failure.error };
  return { kind: 'passing', reason: failure.error, retryAfterSeconds: failure.retryAfterSeconds };
};
