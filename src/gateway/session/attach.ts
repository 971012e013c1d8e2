import { createHmac } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import expressSession, { Cookie, Store as ExpressStore, type SessionData } from 'express-session';
import type { SessionRecord } from './record.ts';
import { deviceName } from './device.ts';
import type { Session as AccountSession, Sessions } from './sessions.ts';
import { newTicket } from './ticket.ts';

declare module 'express-session' {
  interface SessionData {
    account?: AccountSession | SessionDraft;
  }
}
declare module 'express-serve-static-core' {
  interface Request {
    /** The signed-in session of this request's cookie; undefined when signed out. */
    account?: AccountSession | undefined;
  }
}

interface SessionDraft {
  readonly record: (now: number) => SessionRecord;
  readonly facts: object;
  readonly began: (session: AccountSession) => void;
}

/** The session's way to and from the browser, over express-session: one small cookie, set at sign-in and never changed by a refresh. */
export interface SessionCookie {
  /** Finds the session of the request's cookie and starts its idle time anew; a request without a cookie never reaches the store. */
  readonly attach: RequestHandler;
  /** The same, leaving the idle time as it is. */
  readonly peek: RequestHandler;
  /** Starts a session under a new id (ASVS 7.2.4) and sets its cookie on this response. */
  begin(req: Request, record: (now: number) => SessionRecord): Promise<AccountSession>;
  /** Clears the cookie, with the attributes it was set with. */
  clear(res: Response): void;
}

const hidden = (value: object): object => Object.defineProperty(value, 'toJSON', { value: () => 'session', enumerable: false });

// express-session reads and writes whole blobs; ours reads one and only ever writes a new one. Every later change goes through
// Sessions.write, which compares generations, so two requests cannot overwrite each other and none can revive an ended session.
class TicketStore extends ExpressStore {
  readonly #sessions: Sessions;
  readonly #slide: boolean;
  constructor(sessions: Sessions, slide: boolean) {
    super();
    this.#sessions = sessions;
    this.#slide = slide;
  }
  override get(cookie: string, done: (error: unknown, data?: SessionData | null) => void): void {
    this.#sessions.find(cookie, this.#slide).then((account) => {
      done(null, account === undefined ? null : { cookie: new Cookie(), account });
    }, done);
  }
  override set(cookie: string, data: SessionData, done: (error?: unknown) => void = () => undefined): void {
    const draft = data.account;
    if (draft === undefined || !('began' in draft)) {
      done();
      return;
    }
    this.#sessions.begin(cookie, draft.record, draft.facts).then((session) => {
      draft.began(session);
      done();
    }, done);
  }
  override destroy(_cookie: string, done: (error?: unknown) => void = () => undefined): void {
    // Ending a session is Sessions.end: it knows the user's list. express-session calls this for the id it replaces at sign-in.
    done();
  }
}

/** Makes the session cookie for a public origin: `__Host-` with Secure over https, the nearest thing browsers take over plain http on localhost. */
export const createSessionCookie = (options: {
  sessions: Sessions;
  secrets: readonly string[];
  origin: string;
  absoluteMs: number;
}): SessionCookie => {
  const { sessions, secrets, origin, absoluteMs } = options;
  const secure = origin.startsWith('https:');
  const name = secure ? '__Host-my_account_session' : 'my_account_session';
  const attributes = { httpOnly: true, sameSite: 'lax', secure, path: '/' } as const;
  const keys = secrets.map((secret) => createHmac('sha256', secret).update('my-account-bff cookie').digest('base64url'));

  const handler = (slide: boolean): RequestHandler => {
    const run = expressSession({
      name,
      secret: keys,
      genid: newTicket,
      store: new TicketStore(sessions, slide),
      resave: false,
      saveUninitialized: false,
      cookie: { ...attributes, maxAge: absoluteMs },
    });
    return (req, res, next) => {
      run(req, res, (error?: unknown) => {
        const account = (error === undefined ? req.session : undefined)?.account;
        req.account = account !== undefined && !('began' in account) ? account : undefined;
        next(error);
      });
    };
  };

  return {
    attach: handler(true),
    peek: handler(false),
    async begin(req, record) {
      await new Promise<void>((resolve, reject) => {
        req.session.regenerate((error?: unknown) => {
          if (error === undefined || error === null) resolve();
          else reject(error instanceof Error ? error : new Error('no new session id'));
        });
      });
      return new Promise((resolve, reject) => {
        let began: AccountSession | undefined;
        const facts = { device: deviceName(req.get('user-agent')) };
        const draft: SessionDraft = { record, facts, began: (session) => (began = session) };
        req.session.account = hidden(draft) as SessionDraft;
        req.session.save((error?: unknown) => {
          if (began === undefined) {
            reject(error instanceof Error ? error : new Error('the session was not stored'));
            return;
          }
          req.account = began;
          resolve(began);
        });
      });
    },
    clear(res) {
      res.clearCookie(name, attributes);
    },
  };
};
