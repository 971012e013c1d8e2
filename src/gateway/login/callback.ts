import type { RequestHandler } from 'express';
import type { Auth0 } from '../auth0/auth0.ts';
import { OAuthError, type Grant } from '../auth0/grant.ts';
import { Failure } from '../http/errors.ts';
import { redirect } from '../http/redirect.ts';
import type { Log } from '../http/log.ts';
import type { Metrics } from '../http/metrics.ts';
import { isNavigation } from '../http/navigation.ts';
import type { SessionCookie } from '../session/cookie.ts';
import type { SessionRecord } from '../session/record.ts';
import { newSessionKey, readSessionKey } from '../tokens/dpop.ts';
import { grantedToken } from '../tokens/granted.ts';
import type { EndFormer, Revoke } from '../tokens/revoke.ts';
import { wayOn } from './begin-anew.ts';
import { popupPage } from './popup.ts';
import { pathOf } from '../http/return-to.ts';
import type { Taken, Transaction, Transactions } from './transactions.ts';
import { rejectionDetails, rejectionReason } from './rejection.ts';

const single = ['state', 'code', 'error', 'iss'];

// What a person can understand and act on; any other error of the tenant is told as one that went
// wrong.
const oauthErrorDetails: Readonly<Record<string, string>> = {
  access_denied: 'Auth0 refused the sign-in, or it was cancelled.',
  login_required: 'Auth0 has no session to sign in from: sign in with your password or passkey.',
  consent_required: 'The sign-in needs your consent.',
  interaction_required: 'The sign-in needs you to answer a question first.',
  OAUTH_JWT_TIMESTAMP_CHECK_FAILED:
    'The clocks of Auth0 and of this gateway are too far apart. ' +
    'The operator has to set the clock of the machine the gateway runs on (NTP).',
};

/**
 * Makes `GET /auth/callback`: the code is exchanged here, the session begins under a new id, the
 * browser goes back where it was (303).
 */
export const createCallback = (parts: {
  auth0: Auth0;
  transactions: Transactions;
  endFormer: EndFormer;
  revoke: Revoke;
  cookie: SessionCookie;
  origin: string;
  log: Log;
  metrics: Metrics;
  expected: { audience: string; acrValues: string; maxAgeSeconds: number };
  dpop: boolean;
}): RequestHandler => {
  const { auth0, transactions, endFormer, cookie, origin, log, metrics, expected } = parts;

  const failed = (
    transaction: Transaction | undefined,
    reason: string,
    detail: string,
    cause?: unknown,
  ): Failure => {
    log.warn(
      { event: 'login_failed', kind: transaction?.kind ?? 'unknown', reason, err: cause },
      'a sign-in did not succeed',
    );
    return new Failure('login_failed', { detail, members: wayOn(transaction, origin), cause });
  };

  const exchange = async (
    answer: URL,
    taken: { transaction: Transaction; nonce: string; verifier: string },
    state: string,
  ): Promise<[Grant, SessionRecord['dpop']]> => {
    const dpop = parts.dpop ? await newSessionKey() : undefined;
    try {
      const key = dpop && (await readSessionKey(dpop));
      return [
        await auth0.finishLogin(
          answer,
          { state, nonce: taken.nonce, verifier: taken.verifier },
          key,
        ),
        dpop,
      ];
    } catch (cause) {
      if (!(cause instanceof OAuthError)) throw cause;
      const detail =
        oauthErrorDetails[cause.error] ??
        'Auth0 and this gateway did not agree on the sign-in. ' +
          'Try again; if it stays so, tell the operator.';
      throw failed(taken.transaction, cause.error, detail, cause);
    }
  };

  return async function callback(req, res) {
    const answer = new URL(req.originalUrl, origin);
    const query = answer.searchParams;
    res.set('Cache-Control', 'no-store');
    if (single.some((name) => query.getAll(name).length > 1))
      throw failed(undefined, 'repeated', 'The answer has a parameter twice.');
    const state = query.get('state') ?? '';
    const taken = await transactions.take(req, res, state);
    if (taken.kind === 'unknown')
      throw failed(undefined, 'unknown_state', 'This sign-in was not begun here. Begin again.');
    const { transaction } = taken;
    const onward = isNavigation(req) ? onwardFrom(taken, req.account?.record.sub) : undefined;
    if (onward !== undefined) {
      redirect(res, 303, onward);
      return;
    }
    if (taken.kind === 'used')
      throw failed(transaction, 'used_state', 'This sign-in was already finished once.');
    if (taken.kind !== 'good') {
      const detail =
        taken.kind === 'expired'
          ? 'The sign-in took too long. Begin again.'
          : 'This sign-in was begun in another browser, or its cookie is gone. Begin again.';
      throw new Failure('login_expired', { detail, members: wayOn(transaction, origin) });
    }

    const [grant, dpop] = await exchange(answer, taken, state);
    const rejection =
      rejectionReason(grant, transaction, { ...expected, bound: parts.dpop }) ??
      (stranger(req.account?.record.sub, grant, transaction) ? 'another_user' : undefined);
    if (rejection !== undefined) {
      parts.revoke({ record: grant });
      throw failed(transaction, rejection, rejectionDetails[rejection]);
    }
    const before = req.account;
    // What was kept for the page before a step-up is still the same user's at the same browser:
    // reading it again would cost of their few reads.
    const vault =
      transaction.kind === 'step-up' && before?.record.sub === grant.sub
        ? before.vault.toString('base64url')
        : undefined;
    await cookie.begin(req, (now) => ({
      ...recordOf(grant, transaction, expected.audience, now, dpop),
      vault,
    }));
    for (const former of req.accounts ?? []) await endFormer(former, grant.sub);
    metrics.sessions.inc({ event: transaction.kind === 'login' ? 'started' : 'stepped_up' });
    log.info({ event: transaction.kind === 'login' ? 'login' : 'step_up' }, 'signed in');
    if (transaction.popup === true) res.type('html').send(popupPage(transaction.returnTo));
    else redirect(res, 303, transaction.returnTo);
  };
};

/**
 * Where a callback that comes once more leads without a word. Its cookie is still there: the first
 * answer was lost on the way, as where a proxy asks a second gateway, and a sign-in begins anew,
 * though not twice in a row. Its cookie is gone and the user is signed in: a reload, or the back
 * button, and they go where they were going. A step-up anew waits for a click, since a request
 * that comes from Auth0 may not begin one.
 */
const onwardFrom = (taken: Taken, signedInAs: string | undefined): string | undefined => {
  if (taken.kind === 'used' && taken.transaction.anew !== true) {
    const { kind, returnTo } = taken.transaction;
    const query = new URLSearchParams({ returnTo: pathOf(returnTo), anew: '1' });
    return kind === 'login' || signedInAs === undefined
      ? `/auth/login?${query.toString()}`
      : undefined;
  }
  if (taken.kind !== 'foreign' || signedInAs === undefined) return undefined;
  const { kind, sub, popup, returnTo } = taken.transaction;
  return kind === 'login' || (sub === signedInAs && popup !== true) ? returnTo : undefined;
};

// At a step-up the cookie's user, the one it began for and the one who came back are one and the
// same.
const stranger = (current: string | undefined, grant: Grant, { kind }: Transaction): boolean =>
  kind === 'step-up' && current !== undefined && current !== grant.sub;

const recordOf = (
  grant: Grant,
  transaction: Transaction,
  audience: string,
  now: number,
  dpop: SessionRecord['dpop'],
): SessionRecord => {
  const token = grantedToken(grant, audience, now, dpop !== undefined);
  const authTime = grant.claims['auth_time'];
  const steppedUp = transaction.kind === 'step-up';
  return {
    sub: grant.sub,
    sid: grant.sid,
    authTime: typeof authTime === 'number' ? authTime : undefined,
    idToken: grant.idToken,
    refreshToken: grant.refreshToken,
    tokens: token === undefined ? [] : [token],
    ...(steppedUp && {
      steppedUpAt: now,
      denied: transaction.scope.filter(
        (scope) => scope.includes(':me:') && !grant.scope.includes(scope),
      ),
    }),
    ...(dpop && { dpop }),
  };
};
