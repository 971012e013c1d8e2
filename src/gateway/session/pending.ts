import type { Request, Response } from 'express';
import { parseCookies } from '../http/cookies.ts';
import type { Seal } from './seal.ts';
import { boundHead, type Entry, type Store } from './store.ts';
import { newTicket, readTicket, type Ticket } from './ticket.ts';

/** What was kept while a person is on the way, found by their browser's cookie. */
export interface PendingEntry<T> {
  /** Names it in counters; tells nothing of the cookie. */
  readonly id: string;
  readonly value: T;
  /** Writes it anew for the time it has left; false when somebody else did, or it ended. */
  replace(value: T): Promise<boolean>;
  /** Ends it and its cookie; true for one caller only, on whichever gateway. */
  consume(): Promise<boolean>;
}

/**
 * What must be kept on the server while a person is on the way: sealed in the store with a secret
 * that only this browser's cookie holds.
 */
export interface Pending<T> {
  /**
   * Keeps a value and sets its cookie; values in different slots do not disturb each other, a new
   * one takes the place of the old in its own.
   */
  begin(req: Request, res: Response, value: T, slot?: string): Promise<void>;
  /**
   * Finds what this browser began; undefined when there is none, or two of its cookies open one:
   * then one was planted, and none is believed.
   */
  find(req: Request, res: Response, slot?: string): Promise<PendingEntry<T> | undefined>;
  /** Finds and consumes it in one; clears its cookie in any case. */
  take(req: Request, res: Response, slot?: string): Promise<T | undefined>;
}

const slotForm = /^[\w-]{0,32}$/;
const slotsAtMost = 5;
const ticketsAtMost = 4;

/**
 * Makes one kind of such records; `lax` where the browser comes back from another site, else the
 * cookie is strict.
 */
export const createPending = <T>(options: {
  store: Store;
  seal: Seal;
  name: string;
  origin: string;
  sameSite: 'lax' | 'strict';
  lifetimeMs: number;
}): Pending<T> => {
  const { store, seal, name, origin, sameSite, lifetimeMs } = options;
  const secure = origin.startsWith('https:');
  const prefix = `${secure ? '__Host-' : ''}my_account_${name}`;
  const attributes = { httpOnly: true, sameSite, secure, path: '/' } as const;

  const ticketsOf = (req: Request, slot: string): readonly Ticket[] => {
    if (!slotForm.test(slot)) return [];
    const cookies = parseCookies(req.headers.cookie).filter(
      (cookie) => cookie.name === prefix + slot,
    );
    const tickets = cookies.flatMap(({ value }) => readTicket(value) ?? []);
    // Behind a crowd the browser's own may be the one that is not looked at.
    return tickets.length > ticketsAtMost ? [] : tickets;
  };
  const keyOf = ({ key }: Ticket): string => `pending:${key}`;
  const sealed = (value: T, { secret }: Ticket, head: Omit<Entry, 'sealed'>): Entry => ({
    ...head,
    sealed: seal.seal(Buffer.from(JSON.stringify(value)), secret, boundHead(head)),
  });

  const open = async (ticket: Ticket, clear: () => void): Promise<PendingEntry<T> | undefined> => {
    const found = await store.read(keyOf(ticket));
    const plain = found && seal.unseal(found.entry.sealed, ticket.secret, boundHead(found.entry));
    if (found === undefined || plain === undefined) return undefined;
    const { generation, endsAt, createdAt } = found.entry;
    return {
      id: ticket.key,
      value: JSON.parse(plain.toString()) as T,
      async replace(value) {
        const next = sealed(value, ticket, { generation: generation + 1, endsAt, createdAt });
        return (await store.replace(keyOf(ticket), next, { generation })) === 'replaced';
      },
      async consume() {
        clear();
        return store.end(keyOf(ticket));
      },
    };
  };
  const find: Pending<T>['find'] = async (req, res, slot = '') => {
    const clear = (): void => void res.clearCookie(prefix + slot, attributes);
    const opened = await Promise.all(ticketsOf(req, slot).map((ticket) => open(ticket, clear)));
    const [entry, other] = opened.filter((each) => each !== undefined);
    return other === undefined ? entry : undefined;
  };

  return {
    async begin(req, res, value, slot = '') {
      for (const before of ticketsOf(req, slot)) await store.end(keyOf(before));
      const names = new Set(parseCookies(req.headers.cookie).map((cookie) => cookie.name));
      const others = [...names].filter(
        (cookie) => cookie.startsWith(prefix) && cookie !== prefix + slot,
      );
      for (const other of others.slice(slotsAtMost - 1)) res.clearCookie(other, attributes);
      const cookie = newTicket();
      const ticket = readTicket(cookie);
      if (ticket === undefined) throw new TypeError('not a ticket');
      const now = await store.now();
      const entry = sealed(value, ticket, {
        generation: 1,
        endsAt: now + lifetimeMs,
        createdAt: now,
      });
      await store.create(keyOf(ticket), entry, lifetimeMs);
      res.cookie(prefix + slot, cookie, { ...attributes, maxAge: lifetimeMs });
    },
    find,
    async take(req, res, slot = '') {
      const entry = await find(req, res, slot);
      res.clearCookie(prefix + slot, attributes);
      // Of two that looked at the same time only one ends it.
      return entry !== undefined && (await store.end(`pending:${entry.id}`))
        ? entry.value
        : undefined;
    },
  };
};
