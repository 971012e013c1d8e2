import { hash, randomBytes } from 'node:crypto';

const idBytes = 16;
const secretBytes = 32;
const ticketLength = Math.ceil(((idBytes + secretBytes) * 4) / 3);

/**
 * What the cookie holds, taken apart: the name of the session's entry and the secret without which
 * the entry cannot be opened.
 */
export interface Ticket {
  readonly key: string;
  readonly secret: Buffer;
  /**
   * A secret that comes out of the cookie's: what is sealed with it can be opened by nobody once
   * the session has ended.
   */
  readonly vault: Buffer;
}

const vaultText = Buffer.from('my-account-bff vault\0');

const digest = (purpose: string, value: string): string =>
  hash('sha256', `my-account-bff ${purpose}\0${value}`, 'base64url');

/**
 * Makes the value of a new session cookie: a 128-bit id and a 256-bit secret from the system's
 * generator (ASVS 7.2.3).
 */
export const newTicket = (): string => randomBytes(idBytes + secretBytes).toString('base64url');

/**
 * Takes a cookie value apart, or answers undefined when it has not the form of one; the entry's key
 * is a hash, so a key name tells nothing of the cookie.
 */
export const readTicket = (value: string): Ticket | undefined => {
  if (value.length !== ticketLength || !/^[\w-]+$/.test(value)) return undefined;
  const bytes = Buffer.from(value, 'base64url');
  const secret = bytes.subarray(idBytes);
  // NIST SP 800-56C section 4.1: one digest over a fixed text and a secret of fixed length.
  const vault = hash('sha256', Buffer.concat([vaultText, secret]), 'buffer');
  return { key: digest('session', bytes.toString('base64url', 0, idBytes)), secret, vault };
};

const users = new WeakMap<Ticket, string>();
/**
 * The name of the user whose session a ticket opens (see userKey), worked out once for one ticket.
 */
export const cachedUserKey = (ticket: Ticket, issuer: string, subject: string): string => {
  const known = users.get(ticket) ?? userKey(issuer, subject);
  users.set(ticket, known);
  return known;
};

const inherited = new WeakMap<Ticket, Buffer>();
/**
 * The vault of a session: its ticket's own, or the one (base64url) that it took over from the
 * session before a step-up. One buffer for one ticket.
 */
export const vaultOf = (ticket: Ticket, takenOver?: string): Buffer => {
  if (takenOver === undefined) return ticket.vault;
  const known = inherited.get(ticket) ?? Buffer.from(takenOver, 'base64url');
  inherited.set(ticket, known);
  return known;
};

/**
 * Names a user in keys and buckets without showing who it is: a hash of issuer and subject (OpenID
 * Connect Core 5.7).
 */
export const userKey = (issuer: string, subject: string): string =>
  digest('user', `${issuer}\0${subject}`).slice(0, 32);

/** Names a session of Auth0 (`sid`) in keys without showing it. */
export const sidKey = (issuer: string, sid: string): string =>
  digest('sid', `${issuer}\0${sid}`).slice(0, 32);
