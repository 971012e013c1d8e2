import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto';
import { createRecent } from './recent.ts';
import { readTicket, type Ticket } from './ticket.ts';

/** Takes the session tickets out of a `Cookie` header: those that this gateway signed, in the order sent; usually one. */
export type CookieReader = (header: string | undefined) => readonly Ticket[];

const nobody: readonly Ticket[] = [];
const candidatesAtMost = 4;
const recentAtMost = 10_000;
const recentMs = 30_000;

/**
 * Reads what express-session writes (`s:` value `.` HMAC-SHA256, percent-encoded) without running express-session, which would hash
 * and serialise a session that is only read here, and reads one cookie of the name and no other. A cookie seen within the last minute is
 * recognised as a whole, and the keys derived from its secret with it: they are the costly part of opening a session.
 */
export const createCookieReader = (name: string, keys: readonly string[]): CookieReader => {
  const secrets = keys.map((key) => createSecretKey(Buffer.from(key)));
  const start = `${name}=`;
  const seen = createRecent<Ticket>(recentAtMost, recentMs);

  const verified = (raw: string): Ticket | undefined => {
    const text = raw.replaceAll(/%3A/gi, ':').replaceAll(/%2B/gi, '+').replaceAll(/%2F/gi, '/');
    const dot = text.lastIndexOf('.');
    if (!text.startsWith('s:') || dot === -1) return undefined;
    const value = text.slice(2, dot);
    const signature = Buffer.from(text.slice(dot + 1));
    const good = secrets.some((secret) => {
      const own = Buffer.from(createHmac('sha256', secret).update(value).digest('base64').replace(/=+$/, ''));
      return own.length === signature.length && timingSafeEqual(own, signature);
    });
    return good ? readTicket(value) : undefined;
  };

  return (header) => {
    if (header === undefined) return nobody;
    let at = header.indexOf(start);
    const found: Ticket[] = [];
    for (let tried = 0; at !== -1 && tried < candidatesAtMost; at = header.indexOf(start, at + 1)) {
      const before = header[at - 1];
      if (before !== undefined && before !== ' ' && before !== ';') continue;
      tried += 1;
      const end = header.indexOf(';', at);
      const raw = header.slice(at + start.length, end === -1 ? undefined : end).trim();
      const known = seen.get(raw) ?? verified(raw);
      if (known === undefined) continue;
      seen.set(raw, known);
      found.push(known);
    }
    return found;
  };
};
