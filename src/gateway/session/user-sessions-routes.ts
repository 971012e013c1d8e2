import type { Request, RequestHandler } from 'express';
import { Failure } from '../http/errors.ts';
import type { Metrics } from '../http/metrics.ts';
import type { SessionCookie } from './cookie.ts';
import type { UserSessions } from './user-sessions.ts';
import type { Session, Sessions } from './sessions.ts';

const signedIn = (req: Request): Session => {
  if (req.account === undefined) throw new Failure('login_required');
  return req.account;
};
const iso = (ms: number): string => new Date(ms).toISOString();

/**
 * Makes the answers of `/auth/sessions`: the user's own sessions, to see and to end (ASVS 7.4.3 and
 * 7.5.2).
 */
export const createUserSessionsRoutes = (parts: {
  list: UserSessions;
  sessions: Sessions;
  cookie: SessionCookie;
  revoke: (session: Session) => void;
  metrics: Metrics;
}): { show: RequestHandler; endOne: RequestHandler; endOthers: RequestHandler } => {
  const { list, sessions, cookie, revoke, metrics } = parts;
  return {
    async show(req, res) {
      const { user, key } = signedIn(req);
      const rows = await list.of(user);
      res.set('Cache-Control', 'no-store').json({
        sessions: rows.map(({ id, device, createdAt, lastSeenAt, endsAt }) => ({
          id,
          device,
          current: id === key,
          created_at: iso(createdAt),
          last_seen_at: iso(lastSeenAt),
          ends_at: iso(endsAt),
        })),
      });
    },
    async endOne(req, res) {
      const session = signedIn(req);
      const id = String(req.params['id']);
      const own = id === session.key;
      if (!(own ? await sessions.end(session) : await list.endOne(session.user, id)))
        throw new Failure('not_found', { detail: 'You have no such session.' });
      if (own) {
        revoke(session);
        cookie.clear(req, res);
      }
      metrics.sessions.inc({ event: 'ended' });
      res.set('Cache-Control', 'no-store').status(204).end();
    },
    async endOthers(req, res) {
      const session = signedIn(req);
      const ended = await list.endOthers(session.user, session.key);
      metrics.sessions.inc({ event: 'ended' }, ended);
      res.set('Cache-Control', 'no-store').json({ ended });
    },
  };
};
