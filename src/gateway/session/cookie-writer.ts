import type { Request } from 'express';
import expressSession, {
  Store as ExpressStore,
  type CookieOptions,
  type SessionData,
} from 'express-session';
import { deviceName } from './device.ts';
import type { SessionRecord } from './record.ts';
import type { Session as AccountSession, Sessions } from './sessions.ts';
import { newTicket } from './ticket.ts';

declare module 'express-session' {
  interface SessionData {
    account?: SessionDraft;
  }
}

interface SessionDraft {
  readonly record: (now: number) => SessionRecord;
  readonly facts: object;
  readonly began: (session: AccountSession) => void;
}

/**
 * Starts a session under a new id (ASVS 7.2.4) and sets its cookie on the answer to this request.
 */
export type CookieWriter = (
  req: Request,
  record: (now: number) => SessionRecord,
) => Promise<AccountSession>;

// express-session makes sessions and their cookies; reading them is ours (see cookie-reader.ts). A
// session is only ever begun through it: every later change goes through Sessions.write, which
// compares generations, so two requests cannot overwrite each other and none can revive an ended
// session.
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
  override set(
    cookie: string,
    data: SessionData,
    done: (error?: unknown) => void = () => undefined,
  ): void {
    const draft = data.account;
    // express-session saves what was regenerated a second time when the answer is sent: a session
    // begins once.
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
    // Ending a session is Sessions.end: it knows the user's list. express-session calls this for
    // the id it replaces.
    done();
  }
}

// express-session looks at `req.session` when the head is written and again when the answer ends,
// and so does one of the application that this gateway is mounted in, at the same moments: two
// cannot share a request, in whatever order they came. Ours gets the request with three places of
// its own; the application's `session`, `sessionID` and `sessionStore` are never touched. It gets
// no cookies: which of them are sessions is the reader's to say.
const withOwnSession = (req: Request): Request => {
  const own = { value: undefined, writable: true, configurable: true };
  const headers = { value: { ...req.headers, cookie: undefined } };
  return Object.create(req, {
    session: own,
    sessionID: own,
    sessionStore: own,
    headers,
  }) as Request;
};

const hidden = (value: object): object =>
  Object.defineProperty(value, 'toJSON', { value: () => 'session', enumerable: false });

/** Makes it; a cookie carries these attributes and a signature with the first of the keys. */
export const createCookieWriter = (options: {
  sessions: Sessions;
  name: string;
  keys: readonly string[];
  cookie: CookieOptions;
}): CookieWriter => {
  const { sessions, name, keys, cookie } = options;
  const run = expressSession({
    name,
    secret: [...keys],
    genid: newTicket,
    store: new BeginningStore(sessions),
    resave: false,
    saveUninitialized: false,
    cookie,
  });
  return async (req, record) => {
    const { res } = req;
    if (res === undefined) throw new TypeError('a request without a response');
    const own = withOwnSession(req);
    await called((done) => run(own, res, done), 'no session');
    await called((done) => own.session.regenerate(done), 'no new session id');
    let began: AccountSession | undefined;
    const facts = { device: deviceName(req.get('user-agent')) };
    const draft: SessionDraft = { record, facts, began: (session) => (began = session) };
    own.session.account = hidden(draft) as SessionDraft;
    try {
      await called((done) => own.session.save(done), 'the session was not stored');
      if (began === undefined) throw new Error('the session was not stored');
      return began;
    } catch (failure) {
      // Else express-session would set the cookie of a session that does not exist, over the one
      // that a step-up came from.
      Object.assign(own, { session: undefined });
      throw failure;
    }
  };
};

const called = (run: (done: (error?: unknown) => void) => void, otherwise: string): Promise<void> =>
  new Promise((resolve, reject) => {
    run((error) => {
      if (error === undefined || error === null) resolve();
      else reject(error instanceof Error ? error : new Error(otherwise));
    });
  });
