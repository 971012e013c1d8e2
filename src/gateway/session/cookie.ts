import { createHmac } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import { expireCookie } from '../http/cookies.ts';
import { Failure } from '../http/errors.ts';
import { isNavigation } from '../http/navigation.ts';
import type { ScriptPipeline } from '../redis/scripts.ts';
import { createCookieReader } from './cookie-reader.ts';
import { createCookieWriter, type CookieWriter } from './cookie-writer.ts';
import type { Session as AccountSession, Sessions } from './sessions.ts';
import type { Ticket } from './ticket.ts';

declare module 'express-serve-static-core' {
  interface Request {
    /** The signed-in session of this request's cookie; undefined when signed out. */
    account?: AccountSession | undefined;
    /**
     * All sessions that live under this request's cookies, where a route ends them all: see
     * attachEvery.
     */
    accounts?: readonly AccountSession[];
  }
}

/**
 * The session's way to and from the browser: one small cookie, set at sign-in and never changed by
 * a refresh. Where two cookies of its name both open a session, one of them was planted and none is
 * believed: both sessions end, so that one which stays in the browser is worth nothing, and the
 * request is refused with Failure `session_ambiguous`, which clears the cookies wherever an answer
 * can reach, and says what to delete should they stay.
 */
export interface SessionCookie {
  /**
   * Finds the session of the request's cookie and starts its idle time anew; a request without a
   * cookie never reaches the store.
   */
  readonly attach: RequestHandler;
  /** The same, leaving the idle time as it is. */
  readonly peek: RequestHandler;
  /**
   * For what ends every session of the browser (a new sign-in, a sign-out): finds all that live,
   * refuses nothing, and believes one only where it is alone.
   */
  readonly attachEvery: RequestHandler;
  /** What attach finds. */
  find(req: Request): Promise<AccountSession | undefined>;
  /**
   * The one session that the request's cookies can mean, not looked for yet; undefined when there
   * is none, or several could be meant.
   */
  one(
    req: Request,
  ):
    | { readonly key: string; find(chain: ScriptPipeline): Promise<AccountSession | undefined> }
    | undefined;
  /**
   * Starts a session under a new id and sets its cookie on this answer; other cookies of its name
   * are ended where they can be reached.
   */
  readonly begin: CookieWriter;
  /**
   * Clears the cookie, with the attributes it was set with, and others of its name where several
   * came.
   */
  clear(req: Request, res: Response): void;
}

/**
 * Makes the session cookie for a public origin: `__Host-` with Secure over https, the nearest thing
 * browsers take over plain http on localhost.
 */
export const createSessionCookie = (options: {
  sessions: Sessions;
  secrets: readonly string[];
  origin: string;
  absoluteMs: number;
  /** Given what a session held that ended here. */
  revoke: (left: AccountSession) => void;
}): SessionCookie => {
  const { sessions, secrets, origin, absoluteMs, revoke } = options;
  const { protocol, hostname } = new URL(origin);
  const secure = protocol === 'https:';
  const name = secure ? '__Host-my_account_session' : 'my_account_session';
  const attributes = { httpOnly: true, sameSite: 'lax', secure, path: '/' } as const;
  const keys = secrets.map((secret) =>
    createHmac('sha256', secret).update('my-account-bff cookie').digest('base64url'),
  );

  const read = createCookieReader(name, keys);
  const write = createCookieWriter({
    sessions,
    name,
    keys,
    cookie: { ...attributes, maxAge: absoluteMs },
  });
  const expired = (req: Request): readonly string[] =>
    expireCookie(name, { host: hostname, path: req.originalUrl.split('?')[0] ?? '/', secure });

  const ambiguous = (req: Request): Failure => {
    const back =
      isNavigation(req) && req.method === 'GET'
        ? `?returnTo=${encodeURIComponent(req.originalUrl)}`
        : '';
    return new Failure('session_ambiguous', {
      detail:
        'Your browser sent more than one sign-in for this site, so none was used and they were ' +
        'removed. Sign in again. If this message comes back, open the settings of your browser, ' +
        `delete the cookies named "${name}" of ${hostname} and of the sites above it, ` +
        'and sign in once more.',
      headers: { 'Set-Cookie': expired(req) },
      members: { loginUrl: `/auth/login${back}`, cookie: name },
    });
  };
  // A cookie of an older sign-in may still lie beside the current one: a session that has ended
  // counts for nothing.
  const living = async (
    tickets: readonly Ticket[],
    slide: boolean,
  ): Promise<readonly AccountSession[]> => {
    const found: AccountSession[] = [];
    for (const ticket of tickets) {
      const session = await sessions.find(ticket, slide);
      if (session !== undefined) found.push(session);
    }
    return found;
  };
  const find = async (req: Request, slide: boolean): Promise<AccountSession | undefined> => {
    const { tickets, crowded } = read(req.headers.cookie);
    const found = await living(tickets, slide);
    // In a crowd the browser's own may be the one that is not looked at.
    if (found.length <= 1 && !crowded) return found[0];
    for (const session of found) {
      await sessions.end(session);
      revoke(session);
    }
    throw ambiguous(req);
  };
  const attachOne =
    (slide: boolean): RequestHandler =>
    async (req, _res, next) => {
      req.account = await find(req, slide);
      next();
    };

  return {
    attach: attachOne(true),
    peek: attachOne(false),
    async attachEvery(req, _res, next) {
      req.accounts = await living(read(req.headers.cookie).tickets, true);
      req.account = req.accounts.length === 1 ? req.accounts[0] : undefined;
      next();
    },
    find: (req) => find(req, true),
    one(req) {
      const { tickets, crowded } = read(req.headers.cookie);
      const [ticket, other] = tickets;
      if (ticket === undefined || other !== undefined || crowded) return undefined;
      return { key: ticket.key, find: (chain) => sessions.find(ticket, true, chain) };
    },
    async begin(req, record) {
      const began = await write(req, record);
      req.account = began;
      // The first is the place of the new one.
      if (read(req.headers.cookie).sent > 1) req.res?.append('Set-Cookie', expired(req).slice(1));
      return began;
    },
    clear(req, res) {
      if (read(req.headers.cookie).sent > 1) res.append('Set-Cookie', [...expired(req)]);
      else res.clearCookie(name, attributes);
    },
  };
};
