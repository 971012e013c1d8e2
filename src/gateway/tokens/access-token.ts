import type { Auth0 } from '../auth0/auth0.ts';
import type { AccessToken } from '../session/record.ts';
import type { Session, Sessions } from '../session/sessions.ts';
import { createDpopNonces, proofFor } from './dpop.ts';
import type { Refresh } from './refresh.ts';

/**
 * A token to send, or why there is none: a step-up is needed, the session has ended, or it is to be
 * asked for again in a moment.
 */
export type AccessTokenResult =
  | {
      readonly kind: 'usable';
      /** Returns the headers that carry it: `Authorization`, and a proof where it is key-bound. */
      readonly headers: (method: string, url: string) => Promise<Record<string, string>>;
      readonly scope: readonly string[];
    }
  | { readonly kind: 'step_up'; readonly reason: string }
  | { readonly kind: 'ended' }
  | { readonly kind: 'temporary'; readonly retryAfterSeconds: number };

/** Access tokens of a session for the My Account API. */
export interface AccessTokens {
  /**
   * Returns a token that is good now, refreshed when it is about to expire; one that is good costs
   * no call. A scope it does not have is asked for once by a refresh where the settings allow that
   * (multi-resource refresh tokens): look at the scope of what comes back.
   */
  token(session: Session, scope?: string): Promise<AccessTokenResult>;
  /**
   * Takes a 401 of the API to this session's token: the token is not used again, or a DPoP nonce is
   * learned from it (RFC 9449 section 9).
   */
  rejected(
    session: Session,
    answer: { readonly headers: Readonly<Record<string, string | string[] | undefined>> },
  ): void;
}

const nameOf = (session: Session): string => `${session.key}.${session.generation}`;
const waitMs = 8_000;
// How long a request that still has a good token waits for a refresh that it began or joined.
const softWaitMs = 1_000;
const rememberMs = 15_000;
const rememberAtMost = 10_000;

const remember = (names: Set<string>, name: string): void => {
  if (names.size >= rememberAtMost) names.clear();
  names.add(name);
};

/**
 * Makes the access tokens over a refresh; `silentScope` are the scopes that a refresh alone may
 * gain.
 */
export const createAccessTokens = (parts: {
  auth0: Auth0;
  sessions: Sessions;
  refresh: Refresh;
  silentScope: readonly string[];
}): AccessTokens => {
  const { auth0, sessions, refresh, silentScope } = parts;
  // Auth0 will say the same until the user has signed in again, and that makes a new session:
  // asking for every request would only cost calls.
  const stepUpNeeded = new Map<string, { reason: string; until: number }>();
  const rejected = new Set<string>();
  const tried = new Set<string>();
  const nonces = createDpopNonces([new URL(auth0.audience).origin]);

  const current = (session: Session): AccessToken | undefined =>
    session.record.tokens.find(({ audience }) => audience === auth0.audience);

  const usable = (session: Session, token: AccessToken): AccessTokenResult => {
    const { dpop } = session.record;
    return {
      kind: 'usable',
      scope: token.scope,
      async headers(method, url) {
        if (dpop === undefined) return { authorization: `Bearer ${token.value}` };
        const nonce = nonces.of(url);
        const proof = await proofFor(dpop, {
          method,
          url,
          token: token.value,
          nonce,
          skewSeconds: auth0.skewSeconds(),
        });
        return { authorization: `DPoP ${token.value}`, dpop: proof };
      },
    };
  };

  const renewed = async (
    session: Session,
    fallback: AccessToken | undefined,
    more?: string,
    again = false,
  ): Promise<AccessTokenResult> => {
    const name = nameOf(session);
    const known = stepUpNeeded.get(name);
    if (known !== undefined && known.until > performance.now())
      return fallback ? usable(session, fallback) : { kind: 'step_up', reason: known.reason };
    if (session.record.refreshToken === undefined)
      return fallback ? usable(session, fallback) : ended(session);
    // While the old token is good no request waits for another gateway's refresh, nor long for one
    // of this.
    const ask =
      fallback === undefined || more !== undefined
        ? { ownMs: waitMs, otherMs: waitMs, final: fallback === undefined }
        : { ownMs: softWaitMs, otherMs: 0, final: false };
    // Scopes gained by a refresh are not the refresh token's own: each refresh asks for them again.
    const gained = current(session)?.scope ?? [];
    const scope =
      more !== undefined || gained.some((each) => silentScope.includes(each))
        ? [...gained, ...(more === undefined ? [] : [more])]
        : undefined;
    const outcome = await refresh(session, { ...ask, ...(scope && { scope }) });
    if (outcome.kind === 'renewed') {
      const token = current(session);
      if (token === undefined) return ended(session);
      // A response that came late may bring a token that has expired already.
      return again || session.now() < token.expiresAt
        ? usable(session, token)
        : renewed(session, undefined, more, true);
    }
    if (outcome.kind === 'ended') return { kind: 'ended' };
    if (outcome.kind === 'step_up') {
      if (stepUpNeeded.size >= rememberAtMost) stepUpNeeded.clear();
      stepUpNeeded.set(name, { reason: outcome.reason, until: performance.now() + rememberMs });
    }
    if (fallback !== undefined && session.now() < fallback.expiresAt)
      return usable(session, fallback);
    return outcome;
  };

  const ended = async (session: Session): Promise<AccessTokenResult> => {
    await sessions.end(session);
    return { kind: 'ended' };
  };

  return {
    async token(session, scope) {
      const token = current(session);
      const now = session.now();
      if (rejected.has(nameOf(session))) return renewed(session, undefined);
      if (
        token !== undefined &&
        scope !== undefined &&
        silentScope.includes(scope) &&
        !token.scope.includes(scope)
      ) {
        const attempt = `${session.key} ${scope}`;
        if (!tried.has(attempt)) {
          remember(tried, attempt);
          return renewed(session, now < token.expiresAt ? token : undefined, scope);
        }
      }
      if (token !== undefined && now < token.renewAt) return usable(session, token);
      return renewed(session, token !== undefined && now < token.expiresAt ? token : undefined);
    },
    rejected(session, { headers }) {
      // Two requests may be asked for a nonce at once; neither says anything about the token.
      if (session.record.dpop !== undefined && nonces.rejected(auth0.audience, headers)) return;
      remember(rejected, nameOf(session));
    },
  };
};
