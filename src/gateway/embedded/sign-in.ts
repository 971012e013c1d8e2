import type { Request, Response } from 'express';
import type { Auth0 } from '../auth0/auth0.ts';
import type { EmbeddedEndpoints, EmbeddedGrant } from '../auth0/endpoints.ts';
import { OAuthError } from '../auth0/grant.ts';
import { Failure } from '../http/errors.ts';
import type { Log } from '../http/log.ts';
import type { Metrics } from '../http/metrics.ts';
import type { SessionCookie } from '../session/cookie.ts';
import type { JsonWebKeyPair } from '../session/record.ts';
import { newSessionKey, readSessionKey } from '../tokens/dpop.ts';
import { grantedToken } from '../tokens/granted.ts';
import type { EndFormer, Revoke } from '../tokens/revoke.ts';
import { plainAddress } from './address.ts';
import type { Pending } from '../session/pending.ts';
import type { PendingSignIn } from './pending.ts';
import { failureOf } from './oauth-errors.ts';

/** What the routes of embedded login are made from. */
export interface EmbeddedParts {
  readonly auth0: Auth0;
  readonly embedded: EmbeddedEndpoints;
  readonly pendings: Pending<PendingSignIn>;
  readonly cookie: SessionCookie;
  readonly endFormer: EndFormer;
  readonly revoke: Revoke;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Asked for at every login. */
  readonly scope: string;
  readonly dpop: boolean;
}

/** What one request for tokens is made of. */
export interface TokenRequest {
  readonly type: string;
  readonly members: Readonly<Record<string, unknown>>;
  /** Whose codes are counted, should a second factor be asked for. */
  readonly account: string;
  /** The key of a login that goes on; a new one otherwise. */
  readonly dpop?: JsonWebKeyPair | undefined;
}

/**
 * Asks for tokens and begins the session, or keeps what a second factor needs and throws Failure
 * `mfa_required`. Answers a new recovery code, where one came.
 */
export type SignIn = (
  req: Request,
  res: Response,
  ask: TokenRequest,
) => Promise<{ recoveryCode?: string | undefined }>;

/** Makes it: the session is that of a redirect, under a new id, and the one before it ends. */
export const createSignIn = (parts: EmbeddedParts): SignIn => {
  const { auth0, embedded, pendings, endFormer, cookie, log, metrics } = parts;

  const granted = async (
    req: Request,
    res: Response,
    ask: TokenRequest,
    dpop: JsonWebKeyPair | undefined,
  ): Promise<EmbeddedGrant> => {
    const key = dpop && (await readSessionKey(dpop));
    const members = { scope: parts.scope, audience: auth0.audience, ...ask.members };
    try {
      return await embedded.grant(ask.type, members, {
        dpop: key,
        address: plainAddress(req.ip ?? ''),
      });
    } catch (cause) {
      const demand =
        cause instanceof OAuthError && cause.error === 'mfa_required' ? cause.body : undefined;
      const failure = demand === undefined ? failureOf(cause) : undefined;
      if (failure !== undefined) {
        // A push that waits for its answer is asked about every few seconds.
        const pending = cause instanceof OAuthError && cause.error === 'authorization_pending';
        if (!pending)
          log.warn(
            { event: 'login_failed', kind: 'embedded', reason: failure.code, err: cause },
            'a sign-in did not succeed',
          );
        throw failure;
      }
      const mfaToken = demand?.['mfa_token'];
      if (typeof mfaToken !== 'string') throw new Failure('login_failed', { cause });
      await pendings.begin(req, res, { kind: 'mfa', mfaToken, account: ask.account, dpop });
      throw new Failure('mfa_required', {
        members: { requirements: requirementsOf(demand?.['mfa_requirements']) },
      });
    }
  };

  return async (req, res, ask) => {
    const dpop = parts.dpop ? (ask.dpop ?? (await newSessionKey())) : undefined;
    const { grant, recoveryCode } = await granted(req, res, ask, dpop);
    if (grantedToken(grant, auth0.audience, 0, dpop !== undefined) === undefined) {
      parts.revoke({ record: grant });
      log.warn(
        { event: 'login_failed', kind: 'embedded', reason: 'wrong_audience' },
        'a sign-in did not succeed',
      );
      throw new Failure('login_failed', {
        detail: 'Auth0 answered with a token this gateway cannot use. Tell the operator.',
      });
    }
    const authTime = grant.claims['auth_time'];
    await cookie.begin(req, (now) => {
      const token = grantedToken(grant, auth0.audience, now, dpop !== undefined);
      return {
        sub: grant.sub,
        sid: grant.sid,
        authTime: typeof authTime === 'number' ? authTime : undefined,
        idToken: grant.idToken,
        refreshToken: grant.refreshToken,
        tokens: token === undefined ? [] : [token],
        ...(dpop && { dpop }),
      };
    });
    for (const former of req.accounts ?? []) await endFormer(former, grant.sub);
    metrics.sessions.inc({ event: 'started' });
    log.info({ event: 'login', kind: 'embedded' }, 'signed in');
    return { recoveryCode };
  };
};

// Auth0's requirements by their types alone.
const requirementsOf = (value: unknown): Record<string, { type: string }[]> => {
  const given =
    typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  return Object.fromEntries(
    ['challenge', 'enroll'].flatMap((name) => {
      const list: unknown = given[name];
      if (!Array.isArray(list)) return [];
      const types = (list as unknown[]).flatMap((each) =>
        typeof each === 'object' && each !== null && 'type' in each && typeof each.type === 'string'
          ? [{ type: each.type }]
          : [],
      );
      return [[name, types]];
    }),
  );
};
