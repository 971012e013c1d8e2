import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto';
import { parseCookies } from '../http/cookies.ts';
import { createRecentCache } from './recent-cache.ts';
import { readTicket, type Ticket } from './ticket.ts';

/** The cookies of the session's name that came with a request. */
export interface SentTickets {
  /** Those that this gateway signed, in the order sent, each once; usually one. */
  readonly tickets: readonly Ticket[];
  /** How many cookies had the name, whatever they held. */
  readonly sent: number;
  /** Whether there were more than are looked at: then nothing can be said of the rest. */
  readonly crowded: boolean;
}

/** Takes the session tickets out of a `Cookie` header. */
export type CookieReader = (header: string | undefined) => SentTickets;

const nothing: SentTickets = { tickets: [], sent: 0, crowded: false };
const candidatesAtMost = 4;
const recentAtMost = 10_000;
const recentMs = 30_000;
// Percent-encoded or not: `s:`, a ticket, a dot and a base64 digest. What has another form costs no
// digest.
const signedForm = /^s(?::|%3A)[\w-]{64}\.[A-Za-z0-9+/%]{43,129}$/i;

/**
 * Makes the reader of what express-session writes (`s:` value `.` HMAC-SHA256, percent-encoded),
 * which does not run express-session: it would hash and serialise a session that is only read here,
 * and reads one cookie of the name and no other. A cookie seen within the last minute is recognised
 * as a whole, and the keys derived from its secret with it: they are the costly part of opening a
 * session.
 */
export const createCookieReader = (name: string, keys: readonly string[]): CookieReader => {
  const secrets = keys.map((key) => createSecretKey(Buffer.from(key)));
  const seen = createRecentCache<Ticket>(recentAtMost, recentMs);

  const verified = (raw: string): Ticket | undefined => {
    const text = raw.replaceAll(/%3A/gi, ':').replaceAll(/%2B/gi, '+').replaceAll(/%2F/gi, '/');
    const dot = text.lastIndexOf('.');
    const value = text.slice(2, dot);
    const signature = Buffer.from(text.slice(dot + 1));
    const good = secrets.some((secret) => {
      const own = Buffer.from(
        createHmac('sha256', secret).update(value).digest('base64').replace(/=+$/, ''),
      );
      return own.length === signature.length && timingSafeEqual(own, signature);
    });
    return good ? readTicket(value) : undefined;
  };

  return (header) => {
    if (header === undefined) return nothing;
    const tickets: Ticket[] = [];
    let sent = 0;
    let tried = 0;
    for (const { name: given, value } of parseCookies(header)) {
      if (given !== name) continue;
      sent += 1;
      if (!signedForm.test(value)) continue;
      tried += 1;
      if (tried > candidatesAtMost) break;
      const known = seen.get(value) ?? verified(value);
      if (known === undefined) continue;
      seen.set(value, known);
      if (!tickets.some(({ key }) => key === known.key)) tickets.push(known);
    }
    return { tickets, sent, crowded: tried > candidatesAtMost };
  };
};
