import type { Request, Response } from 'express';
import type { Seal } from './seal.ts';
import { boundHead, type Store } from './store.ts';
import { newTicket, readTicket } from './ticket.ts';

/** What must be kept on the server while a person is on the way: sealed in the store with a secret that only this browser's cookie holds. */
export interface Pending<T> {
  /** Keeps a value and sets its cookie; values in different slots do not disturb each other, a new one takes the place of the old in its own. */
  begin(req: Request, res: Response, value: T, slot?: string): Promise<void>;
  /** Looks at it without taking it. */
  peek(req: Request, slot?: string): Promise<T | undefined>;
  /** Takes it, once, on whichever gateway, and clears its cookie. */
  take(req: Request, res: Response, slot?: string): Promise<T | undefined>;
}

const slots = /^[\w-]{0,32}$/;
const atMost = 5;

/** Makes one kind of such records; `lax` where the browser comes back from another site, else the cookie is strict. */
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

  const cookies = (req: Request): ReadonlyMap<string, string> =>
    new Map(
      (req.headers.cookie ?? '').split(';').flatMap((pair) => {
        const [cookie = '', value = ''] = pair.trim().split('=', 2);
        return cookie.startsWith(prefix) ? [[cookie, value] as const] : [];
      }),
    );
  const ticketOf = (req: Request, slot: string) => (slots.test(slot) ? readTicket(cookies(req).get(prefix + slot) ?? '') : undefined);
  const keyOf = (key: string): string => `pending:${key}`;

  const peek = async (req: Request, slot = ''): Promise<T | undefined> => {
    const ticket = ticketOf(req, slot);
    const found = ticket && (await store.read(keyOf(ticket.key)));
    const plain = ticket && found && seal.open(found.entry.sealed, ticket.secret, boundHead(found.entry));
    return plain && (JSON.parse(plain.toString()) as T);
  };

  return {
    async begin(req, res, value, slot = '') {
      const before = ticketOf(req, slot);
      if (before !== undefined) await store.end(keyOf(before.key));
      const others = [...cookies(req).keys()].filter((cookie) => cookie !== prefix + slot);
      for (const other of others.slice(atMost - 1)) res.clearCookie(other, attributes);
      const cookie = newTicket();
      const ticket = readTicket(cookie);
      if (ticket === undefined) throw new TypeError('not a ticket');
      const now = await store.now();
      const head = { generation: 1, endsAt: now + lifetimeMs, createdAt: now };
      const sealed = seal.close(Buffer.from(JSON.stringify(value)), ticket.secret, boundHead(head));
      await store.create(keyOf(ticket.key), { ...head, sealed }, lifetimeMs);
      res.cookie(prefix + slot, cookie, { ...attributes, maxAge: lifetimeMs });
    },
    peek,
    async take(req, res, slot = '') {
      const value = await peek(req, slot);
      const ticket = ticketOf(req, slot);
      res.clearCookie(prefix + slot, attributes);
      // Of two that looked at the same time only one ends it.
      return ticket !== undefined && (await store.end(keyOf(ticket.key))) ? value : undefined;
    },
  };
};
