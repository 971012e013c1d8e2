import { Failure } from '../http/errors.ts';
import type { ScriptPipeline } from '../redis/scripts.ts';
import type { Events } from './events.ts';
import { createEntries, OpenSession } from './session.ts';
import type { SessionRecord } from './record.ts';
import type { Seal } from './seal.ts';
import type { Found, LeaseTerms, Replaced, Store } from './store.ts';
import { readTicket, sidKey, userKey, type Ticket } from './ticket.ts';

/**
 * A signed-in session as one request sees it; it cannot be printed or serialised, so its tokens
 * cannot slip into a log.
 */
export interface Session {
  /** The entry's name: for maps in this process, never for logs. */
  readonly key: string;
  /** The user's name in buckets and lists, a hash. */
  readonly user: string;
  readonly generation: number;
  readonly record: SessionRecord;
  readonly createdAt: number;
  readonly endsAt: number;
  readonly idleLeftMs: number;
  /**
   * A secret that comes out of the cookie's, or of the one before a step-up: what is sealed with it
   * can be opened by nobody once the session, and those it passed into, have ended.
   */
  readonly vault: Buffer;
  /** The store's clock now, in milliseconds, however wrong this machine's is. */
  now(): number;
}

/**
 * Sessions over a store: sealed with a key that needs both the server's secret and the cookie's.
 */
export interface Sessions {
  /** Starts a session under a fresh cookie value. */
  begin(cookie: string, record: (now: number) => SessionRecord, facts: object): Promise<Session>;
  /**
   * Finds the session of a ticket; undefined when there is none to be opened. `slide` starts its
   * idle time anew; `chain`: see Store.read.
   */
  find(
    ticket: Ticket | undefined,
    slide: boolean,
    chain?: ScriptPipeline,
  ): Promise<Session | undefined>;
  /** Looks again, and brings the handle up to date; false when the session ended meanwhile. */
  renew(session: Session): Promise<boolean>;
  /** Takes over an entry that the store handed out beside a refused lease. */
  adopt(session: Session, found: Found): boolean;
  /**
   * Writes a changed record as the next generation, unless somebody else did or the session ended.
   */
  write(session: Session, record: SessionRecord, holder?: Buffer): Promise<Replaced>;
  /**
   * Ends a session and takes it off the user's list; true when it was still there. What it held is
   * the caller's to revoke.
   */
  end(session: Pick<Session, 'key' | 'user'>): Promise<boolean>;
  /**
   * Ends a session that another of the same user follows in the same browser: a refresh under way
   * learns that and revokes nothing.
   */
  passOn(session: Pick<Session, 'key' | 'user'>): Promise<void>;
  /**
   * Ends a session whose refresh token was spent by somebody who can no longer write the new one;
   * false when that is not so.
   */
  abandon(session: Session, terms: LeaseTerms): Promise<boolean>;
  /**
   * Told that a session was ended from elsewhere: what it left behind is taken, once on all
   * gateways, and handed on to be revoked. Waits for nothing.
   */
  ended(session: Session): void;
}

// Longer than any refresh that may be under way when its session is passed on.
const passedOnMs = 600_000;

/**
 * Makes sessions over a store; `idleMs` and `absoluteMs` are the two timeouts, kept by the store's
 * clock. None outlives what Auth0 gave for it: `refreshMs`, the life of a line of refresh tokens,
 * or the access token's where there is no refresh token.
 */
export const createSessions = (options: {
  store: Store;
  seal: Seal;
  listSeal: Seal;
  issuer: string;
  idleMs: number;
  absoluteMs: number;
  refreshMs?: number;
  events: Events;
  /** Given what a session held that ended without anybody who could open it. */
  revoke?: (left: Pick<Session, 'record'>) => void;
  /** Keeps what nobody waits for until it is done (see Background). */
  track?: <T>(work: Promise<T>) => Promise<T>;
}): Sessions => {
  const {
    store,
    seal,
    listSeal,
    issuer,
    idleMs,
    absoluteMs,
    refreshMs = Infinity,
    events,
    revoke,
  } = options;

  const entries = createEntries(store, seal, issuer);

  const lifeOf = ({ refreshToken, tokens }: SessionRecord, now: number): number => {
    const given =
      refreshToken === undefined
        ? Math.max(...tokens.map(({ expiresAt }) => expiresAt - now))
        : refreshMs;
    // Without any token there is nothing to outlive.
    return given > 0 ? Math.min(absoluteMs, given) : absoluteMs;
  };

  const reclaim = ({ key, secret }: Ticket): void => {
    const taking = store.reclaim(key).then((entry) => {
      const record = entry && entries.unseal(secret, entry);
      if (record !== undefined) revoke?.({ record });
    });
    (options.track?.(taking) ?? taking).catch(() => undefined);
  };

  // Only whoever ended it says so: many may find it gone at once.
  const unlist = async (key: string, user: string, was: boolean): Promise<void> => {
    await store.unindex(user, [key]);
    if (was) events.publish(user, { type: 'ended', sessions: [key] });
  };

  // What comes back is what went out: handles are only made here.
  const known = (session: Session): OpenSession => {
    if (!(session instanceof OpenSession && session.isOf(entries)))
      throw new TypeError('not a session of this store');
    return session;
  };

  return {
    async begin(cookie, make, facts) {
      const ticket = readTicket(cookie);
      if (ticket === undefined) throw new TypeError('not a ticket');
      const now = await store.now();
      const record = make(now);
      const lifeMs = lifeOf(record, now);
      const entry = entries.seal(
        ticket.secret,
        { generation: 1, endsAt: now + lifeMs, createdAt: now },
        record,
      );
      const user = userKey(issuer, record.sub);
      const sid = record.sid === undefined ? undefined : sidKey(issuer, record.sid);
      const listed = listSeal.seal(
        Buffer.from(JSON.stringify({ ...facts, createdAt: now, endsAt: entry.endsAt })),
        Buffer.from(user),
      );
      // Listed before it lives: a logout from Auth0 that comes between finds it, and an ended name
      // on a list harms nobody.
      await store.index({ user, sid }, ticket.key, listed, absoluteMs);
      if (!(await store.create(ticket.key, entry, Math.min(idleMs, lifeMs)))) {
        revoke?.({ record });
        throw new Failure('login_failed', {
          detail: 'This sign-in was ended while it was under way. Begin again.',
          members: { loginUrl: '/auth/login' },
        });
      }
      return new OpenSession(entries, ticket, { entry, now, idleLeftMs: idleMs }, record);
    },
    async find(ticket, slide, chain) {
      if (ticket === undefined) return undefined;
      const found = await store.read(ticket.key, slide ? idleMs : 0, () => reclaim(ticket), chain);
      const record = found && entries.unseal(ticket.secret, found.entry);
      return found && record && new OpenSession(entries, ticket, found, record);
    },
    async renew(session) {
      const own = known(session);
      const found = await store.read(session.key, 0, () => reclaim(own.ticket()));
      return found !== undefined && own.refresh(found);
    },
    adopt: (session, found) => known(session).refresh(found),
    write: (session, record, holder) => known(session).replace(record, holder),
    async end({ key, user }) {
      const was = await store.end(key);
      await unlist(key, user, was);
      return was;
    },
    async passOn({ key, user }) {
      await unlist(key, user, await store.passOn(key, passedOnMs));
    },
    async abandon(session, terms) {
      const was = await store.abandon(session.key, session.generation, terms);
      if (was) await unlist(session.key, session.user, was);
      return was;
    },
    ended: (session) => reclaim(known(session).ticket()),
  };
};
