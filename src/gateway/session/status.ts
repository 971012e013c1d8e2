import { decodeJwt } from 'jose';
import type { RequestHandler } from 'express';
import { Failure } from '../http/errors.ts';
import type { Session } from './sessions.ts';

const protocolClaims = new Set([
  'iss',
  'aud',
  'exp',
  'iat',
  'nonce',
  'at_hash',
  'c_hash',
  'sid',
  'azp',
  'auth_time',
  'acr',
  'amr',
]);

/**
 * Throws Failure `login_required` unless the request has a session. Whoever has none has nothing
 * another site could use: they are told to sign in, whatever else is wrong with the request.
 */
export const signedIn: RequestHandler = (req, _res, next) => {
  if (req.account === undefined) throw new Failure('login_required');
  next();
};

// The user as pages know it.
const claimsOf = (session: Session): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(decodeJwt(session.record.idToken)).filter(([name]) => !protocolClaims.has(name)),
  );

/** Makes `GET /auth/profile`: the user's claims, or 401 when signed out. */
export const createProfile = (): RequestHandler =>
  function profile(req, res) {
    if (req.account === undefined) throw new Failure('login_required');
    res.set('Cache-Control', 'no-store').json(claimsOf(req.account));
  };

/** What only other rooms know about a session, for its status. */
export interface SessionFacts {
  readonly userHandle: string;
  readonly scopes: readonly string[];
  readonly stepUpFreshFor: number | null;
  readonly quota: unknown;
}

/** Makes `GET /auth/session`: whether and how long the user is signed in, in seconds; the caller sees to it that asking does not extend it. */
export const createSessionStatus = (
  facts: (session: Session) => Promise<SessionFacts>,
): RequestHandler =>
  async function sessionStatus(req, res) {
    res.set('Cache-Control', 'no-store');
    const session = req.account;
    if (session === undefined) {
      res.json({ authenticated: false });
      return;
    }
    const { authTime } = session.record;
    const expiresIn = Math.max(0, Math.floor((session.endsAt - session.now()) / 1000));
    res.json({
      authenticated: true,
      user: claimsOf(session),
      expiresIn,
      idleExpiresIn: Math.min(expiresIn, Math.max(0, Math.floor(session.idleLeftMs / 1000))),
      authenticatedAt: authTime ?? Math.floor(session.createdAt / 1000),
      ...(await facts(session)),
    });
  };

/** Makes `POST /auth/session`, "stay signed in": reading the session with its cookie has extended it already. */
export const createStaySignedIn = (status: RequestHandler): RequestHandler =>
  function staySignedIn(req, res, next) {
    if (req.account === undefined) throw new Failure('login_required');
    return status(req, res, next);
  };
