import { setTimeout as sleep } from 'node:timers/promises';
import type { RequestHandler } from 'express';
import type { Auth0 } from '../auth0/auth0.ts';
import { redirect } from '../http/redirect.ts';
import type { Log } from '../http/log.ts';
import type { Metrics } from '../http/metrics.ts';
import { isNavigation } from '../http/navigation.ts';
import { crossSite, foreign } from '../http/same-origin.ts';
import type { SessionCookie } from '../session/cookie.ts';
import type { Session, Sessions } from '../session/sessions.ts';

// Only a gateway that never spoke with Auth0 has to ask it where its logout is.
const patienceMs = 1_500;

/**
 * Makes `GET|POST /auth/logout`: the session ends here first, then its refresh token is revoked in
 * the background, then the browser goes to Auth0's logout (RP-Initiated Logout 1.0 section 2). A
 * script gets `{logoutUrl}` to navigate to. Auth0 being away keeps nobody signed in, nor waiting.
 */
export const createLogout = (parts: {
  auth0: Auth0;
  sessions: Sessions;
  cookie: SessionCookie;
  revoke: (session: Session) => void;
  origin: string;
  log: Log;
  metrics: Metrics;
}): RequestHandler => {
  const { auth0, sessions, cookie, revoke, origin, log, metrics } = parts;
  return async function logout(req, res) {
    const reason = foreign(req, origin);
    // A link or a bookmark in an old browser sends none of the headers; signing out is then what
    // the person asked for.
    const bare =
      isNavigation(req) &&
      req.headers['sec-fetch-site'] === undefined &&
      req.headers.origin === undefined;
    if (reason !== undefined && !bare) throw crossSite(reason);

    // Whoever signs out wants none of them, also where two were sent and nobody can say which is
    // theirs.
    for (const session of req.accounts ?? []) {
      await sessions.end(session);
      revoke(session);
      metrics.sessions.inc({ event: 'ended' });
      log.info({ event: 'logout' }, 'signed out');
    }
    cookie.clear(req, res);
    res.set({ 'Cache-Control': 'no-store', 'Clear-Site-Data': '"cache", "storage"' });
    const front = `${origin}/`;
    const { idToken, sid } = req.account?.record ?? {};
    const away = new URL(front);
    const url = await Promise.race([
      auth0.logoutUrl({ idToken, sid, returnTo: front }).catch(() => away),
      sleep(patienceMs, away, { ref: false }),
    ]);
    if (isNavigation(req) || req.method === 'GET') redirect(res, 303, url.href);
    else res.json({ logoutUrl: url.href });
  };
};
