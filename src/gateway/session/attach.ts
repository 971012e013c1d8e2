import { createHmac } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import expressSession, { Store as ExpressStore, type SessionData } from 'express-session';
import { createCookieReader } from './cookie-reader.ts';
import type { ScriptPipeline } from '../redis/client.ts';
import type { SessionRecord } from './record.ts';
import { deviceName } from './device.ts';
import type { Session as AccountSession, Sessions } from './sessions.ts';
import { newTicket } from './ticket.ts';

declare module 'express-session' {
  interface SessionData {
    account?: SessionDraft;
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
  /** What attach finds. */
  find(req: Request): Promise<AccountSession | undefined>;
  /** The one session that the request's cookies can mean, not looked for yet; undefined when there is none, or several could be meant. */
  one(req: Request): { readonly key: string; find(chain: ScriptPipeline): Promise<AccountSession | undefined> } | undefined;
  /** Starts a session under a new id (ASVS 7.2.4) and sets its cookie on this response. */
  begin(req: Request, record: (now: number) => SessionRecord): Promise<AccountSession>;
  /** Clears the cookie, with the attributes it was set with. */
  clear(res: Response): void;
}

const hidden = (value: object): object => Object.defineProperty(value, 'toJSON', { value: () => 'session', enumerable: false });

// express-session makes sessions and their cookies; reading them is ours (see cookie-reader.ts). A session is only ever begun through it: every later
// change goes through Sessions.write, which compares generations, so two requests cannot overwrite each other and none can revive an ended session.
class BeginningStore extends ExpressStore {
  readonly #sessions: Sessions;
  readonly #begun = new WeakSet<SessionDraft>();
  constructor(sessions: Sessions) {
    super();
    this.#sessions = sessions;
  }
  override get(_cookie: string, done: (error: unknown, data?: SessionData | null) => void): void {
    done(null, null);
  }
  override set(cookie: string, data: SessionData, done: (error?: unknown) => void = () => undefined): void {
    const draft = data.account;
    // express-session saves what was regenerated a second time when the answer is sent: a session begins once.
    if (draft === undefined || this.#begun.has(draft)) {
      done();
      return;
    }
    this.#begun.add(draft);
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

  const read = createCookieReader(name, keys);
  const make = expressSession({
    name,
    secret: keys,
    genid: newTicket,
    store: new BeginningStore(sessions),
    resave: false,
    saveUninitialized: false,
    cookie: { ...attributes, maxAge: absoluteMs },
  });

  // A cookie of an older sign-in may still lie beside the current one: the first whose session lives counts.
  const find = async (req: Request, slide: boolean): Promise<AccountSession | undefined> => {
    for (const ticket of read(req.headers.cookie)) {
      const session = await sessions.find(ticket, slide);
      if (session !== undefined) return session;
    }
    return undefined;
  };
  const handler =
    (slide: boolean): RequestHandler =>
    async (req, _res, next) => {
      req.account = await find(req, slide);
      next();
    };

  return {
    attach: handler(true),
    peek: handler(false),
    find: (req) => find(req, true),
    one(req) {
      const [ticket, other] = read(req.headers.cookie);
      if (ticket === undefined || other !== undefined) return undefined;
      return { key: ticket.key, find: (chain) => sessions.find(ticket, true, chain) };
    },
    async begin(req, record) {
      const { res } = req;
      if (res === undefined) throw new TypeError('a request without a response');
      await called((done) => make(req, res, done), 'no session');
      await called((done) => req.session.regenerate(done), 'no new session id');
      let began: AccountSession | undefined;
      const facts = { device: deviceName(req.get('user-agent')) };
      const draft: SessionDraft = { record, facts, began: (session) => (began = session) };
      req.session.account = hidden(draft) as SessionDraft;
      try {
        await called((done) => req.session.save(done), 'the session was not stored');
        if (began === undefined) throw new Error('the session was not stored');
      } catch (failure) {
        // Else express-session would set the cookie of a session that does not exist, over the
        // one that a step-up came from.
        delete (req as Partial<Request>).session;
        throw failure;
      }
      req.account = began;
      return began;
    },
    clear(res) {
      res.clearCookie(name, attributes);
    },
  };
};

const called = (run: (done: (error?: unknown) => void) => void, otherwise: string): Promise<void> =>
  new Promise((resolve, reject) => {
    run((error) => {
      if (error === undefined || error === null) resolve();
      else reject(error instanceof Error ? error : new Error(otherwise));
    });
  });
