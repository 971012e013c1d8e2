import type { Request, Response } from 'express';
import { Failure } from '../http/errors.ts';
import type { JsonWebKeyPair } from '../session/record.ts';
import { boundHead, type Entry, type Store } from '../session/store.ts';
import type { Seal } from '../session/seal.ts';
import { newTicket, readTicket } from '../session/ticket.ts';

/** What a sign-in without a redirect has to remember between two calls, and the browser must never see. */
export type Pending =
  | { readonly kind: 'passkey'; readonly authSession: string }
  | {
      readonly kind: 'mfa';
      readonly mfaToken: string;
      /** Whose attempts are counted. */
      readonly account: string;
      /** Of the challenge under way. */
      readonly oobCode?: string | undefined;
      /** The private JWK the login's first request was made with. */
      readonly dpop?: JsonWebKeyPair | undefined;
    };

/** A pending sign-in of a kind, found by its cookie. */
export interface Held<K extends Pending['kind']> {
  readonly name: string;
  readonly pending: Extract<Pending, { kind: K }>;
  /** Writes it anew, unless somebody else did. */
  write(pending: Pending): Promise<void>;
  /** Ends it and its cookie; true for one caller only, on whichever gateway. */
  take(): Promise<boolean>;
}

/** Sign-ins under way: on the server, each sealed under the server's secret and that of a cookie that lives as long as it. */
export interface Pendings {
  /** Begins one and sets its cookie; another one this browser had begun ends. */
  begin(req: Request, res: Response, pending: Pending): Promise<void>;
  /** Finds the request's, or throws Failure `login_expired`. */
  find<K extends Pending['kind']>(req: Request, res: Response, kind: K): Promise<Held<K>>;
}

// Auth0's own answers live no longer: an mfa_token ten minutes, a passkey challenge five.
const lifetimeMs = 600_000;

const isKind = <K extends Pending['kind']>(pending: Pending, kind: K): pending is Extract<Pending, { kind: K }> => pending.kind === kind;

/** Makes them over the store of the sessions, for a public origin. */
export const createPendings = (options: { store: Store; seal: Seal; origin: string }): Pendings => {
  const { store, seal, origin } = options;
  const secure = origin.startsWith('https:');
  const name = `${secure ? '__Host-' : ''}my_account_sign_in`;
  const attributes = { httpOnly: true, sameSite: 'strict', secure, path: '/' } as const;

  const ticketOf = (req: Request): ReturnType<typeof readTicket> => {
    const pairs = (req.headers.cookie ?? '').split(';').map((pair) => pair.trim());
    const value = pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
    return value === undefined ? undefined : readTicket(value);
  };
  const close = (pending: Pending, secret: Buffer, head: Omit<Entry, 'sealed'>): Entry => ({
    ...head,
    sealed: seal.close(Buffer.from(JSON.stringify(pending)), secret, boundHead(head)),
  });

  return {
    async begin(req, res, pending) {
      const value = newTicket();
      const ticket = readTicket(value);
      if (ticket === undefined) throw new TypeError('not a ticket');
      const before = ticketOf(req);
      if (before !== undefined) await store.end(before.key);
      const now = await store.now();
      const head = { generation: 1, endsAt: now + lifetimeMs, createdAt: now };
      await store.create(ticket.key, close(pending, ticket.secret, head), lifetimeMs);
      res.cookie(name, value, { ...attributes, maxAge: lifetimeMs });
    },
    async find(req, res, kind) {
      const expired = new Failure('login_expired', { detail: 'There is no such sign-in under way. Begin again.' });
      const ticket = ticketOf(req);
      const found = ticket && (await store.read(ticket.key));
      const plain = found && seal.open(found.entry.sealed, ticket.secret, boundHead(found.entry));
      if (plain === undefined) throw expired;
      const pending = JSON.parse(plain.toString()) as Pending;
      if (!isKind(pending, kind)) throw expired;
      return {
        name: ticket?.key ?? '',
        pending,
        async write(next) {
          if (found === undefined || ticket === undefined) return;
          const { generation, endsAt, createdAt } = found.entry;
          const entry = close(next, ticket.secret, { generation: generation + 1, endsAt, createdAt });
          if ((await store.replace(ticket.key, entry, { generation })) !== 'replaced') throw expired;
        },
        async take() {
          res.clearCookie(name, attributes);
          return ticket !== undefined && store.end(ticket.key);
        },
      };
    },
  };
};
