import { createHash } from 'node:crypto';
import type { RequestHandler } from 'express';
import type { VerifyLogoutToken } from '../auth0/logout-token.ts';
import { Failure } from '../http/errors.ts';
import { readForm } from '../http/parsed-body.ts';
import type { Log } from '../http/log.ts';
import type { Metrics } from '../http/metrics.ts';
import type { UserSessions } from '../session/user-sessions.ts';
import type { Store } from '../session/store.ts';

/**
 * Makes `POST /auth/backchannel-logout` (Back-Channel Logout 1.0): a form with one logout token,
 * taken once; the session it names or, without `sid`, all of its subject's end. One whose session
 * had ended here already is success (section 2.7), a `sid` never known here is refused.
 */
export const createBackChannelLogout = (parts: {
  verify: VerifyLogoutToken;
  list: UserSessions;
  replayGuard: Pick<Store, 'consumeOnce' | 'isConsumed'>;
  log: Log;
  metrics: Metrics;
  /** How long the form may take to arrive, in milliseconds. */
  bodyMs: number;
}): RequestHandler[] => {
  const { verify, list, replayGuard, log, metrics, bodyMs } = parts;
  return [
    function noStore(_req, res, next) {
      res.set('Cache-Control', 'no-store');
      next();
    },
    ...readForm(bodyMs),
    async function backChannelLogout(req, res) {
      const body = req.body as Record<string, unknown> | undefined;
      const token = body?.['logout_token'];
      if (typeof token !== 'string' || token === '')
        throw new Failure('invalid_request', { detail: 'The form needs one logout_token.' });
      const { jti, sub, sid, expiresIn } = await verify(token);
      const name = `logout:${createHash('sha256').update(jti).digest('base64url')}`;
      const spent = new Failure('invalid_request', {
        detail: 'This logout token was used before.',
      });
      // Without a memory of what was seen nothing is accepted: this throws when the store is gone.
      // The token counts as used when the sessions have ended and not before, so one whose logout
      // broke off half way can be told again; ending twice harms nobody, and one telling alone
      // succeeds.
      if (await replayGuard.isConsumed(name)) throw spent;
      const { known, ended } = await list.endNamed({ sub, sid });
      if (!known && sid !== undefined)
        throw new Failure('invalid_request', { detail: 'No such session was ever known here.' });
      if (!(await replayGuard.consumeOnce(name, expiresIn * 1000))) throw spent;
      metrics.sessions.inc({ event: 'ended_by_auth0' }, ended);
      log.info({ event: 'backchannel_logout', count: ended }, 'sessions ended by Auth0');
      res.status(200).end();
    },
  ];
};
