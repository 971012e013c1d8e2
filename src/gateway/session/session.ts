import { inspect } from 'node:util';
import { decodeRecord, encodeRecord, type SessionRecord } from './record.ts';
import type { Seal } from './seal.ts';
import { boundHead, type Entry, type Found, type Replaced, type Store } from './store.ts';
import { cachedUserKey, vaultOf, type Ticket } from './ticket.ts';

/** What opens and closes the entries of a store, under the server's secret and the cookie's. */
export interface Entries {
  readonly store: Store;
  readonly issuer: string;
  unseal(secret: Buffer, entry: Entry): SessionRecord | undefined;
  seal(secret: Buffer, head: Omit<Entry, 'sealed'>, record: SessionRecord): Entry;
}

/**
 * An entry as it was opened last, with the bytes it was opened from: a copy of its own, since those
 * of a reply hold on to all of the reply.
 */
interface Opened {
  readonly entry: Entry;
  readonly record: SessionRecord;
}

const same = (one: Entry, other: Entry): boolean =>
  one.generation === other.generation &&
  one.endsAt === other.endsAt &&
  one.createdAt === other.createdAt &&
  one.sealed.equals(other.sealed);

/**
 * Makes it. An entry that comes back byte for byte as it was is not opened again, for as long as
 * somebody holds the very buffer that opened it (see cookie-reader.ts): opening takes 10 to 15 us,
 * a twentieth of a read.
 */
export const createEntries = (store: Store, seal: Seal, issuer: string): Entries => {
  const last = new WeakMap<Buffer, Opened>();
  return {
    store,
    issuer,
    unseal(secret, entry) {
      const known = last.get(secret);
      if (known !== undefined && same(known.entry, entry)) return known.record;
      const plain = seal.unseal(entry.sealed, secret, boundHead(entry));
      if (plain === undefined) return undefined;
      const record = decodeRecord(plain);
      const sealed = Buffer.allocUnsafeSlow(entry.sealed.length);
      entry.sealed.copy(sealed);
      last.set(secret, { entry: { ...entry, sealed }, record });
      return record;
    },
    seal: (secret, head, record) => ({
      ...head,
      sealed: seal.seal(encodeRecord(record), secret, boundHead(head)),
    }),
  };
};

/**
 * A session in one request's hands (see Session). A class, with its getters on the prototype: V8
 * makes a getter of an object's own, and a function that is assigned to a property, where only a
 * full collection looks for garbage, and each would keep its whole request alive until then: half
 * of all that outlived a young collection.
 */
export class OpenSession {
  readonly key: string;
  readonly user: string;
  readonly #entries: Entries;
  readonly #ticket: Ticket;
  #found: Found;
  #entry: Entry;
  #record: SessionRecord;
  #readAt = performance.now();

  constructor(entries: Entries, ticket: Ticket, found: Found, record: SessionRecord) {
    this.key = ticket.key;
    this.user = cachedUserKey(ticket, entries.issuer, record.sub);
    this.#entries = entries;
    this.#ticket = ticket;
    this.#found = found;
    this.#entry = found.entry;
    this.#record = record;
  }
  get generation(): number {
    return this.#entry.generation;
  }
  get record(): SessionRecord {
    return this.#record;
  }
  get createdAt(): number {
    return this.#entry.createdAt;
  }
  get endsAt(): number {
    return this.#entry.endsAt;
  }
  get idleLeftMs(): number {
    return this.#found.idleLeftMs;
  }
  get vault(): Buffer {
    return vaultOf(this.#ticket, this.#record.vault);
  }
  now(): number {
    return this.#found.now + (performance.now() - this.#readAt);
  }
  /** Whose handle this is: only those that made it take it back. */
  isOf(entries: Entries): boolean {
    return this.#entries === entries;
  }
  /** The ticket that opened it. */
  ticket(): Ticket {
    return this.#ticket;
  }
  /** Brings it up to date with an entry that was read; false when that cannot be opened. */
  refresh(found: Found): boolean {
    const newer = this.#entries.unseal(this.#ticket.secret, found.entry);
    if (newer === undefined) return false;
    [this.#found, this.#entry, this.#record, this.#readAt] = [
      found,
      found.entry,
      newer,
      performance.now(),
    ];
    return true;
  }
  /** Writes the next generation. */
  async replace(changed: SessionRecord, holder?: Buffer): Promise<Replaced> {
    const { generation, endsAt, createdAt } = this.#entry;
    const next = this.#entries.seal(
      this.#ticket.secret,
      { generation: generation + 1, endsAt, createdAt },
      changed,
    );
    const outcome = await this.#entries.store.replace(this.key, next, {
      generation,
      ...(holder && { holder }),
    });
    if (outcome === 'replaced') [this.#entry, this.#record] = [next, changed];
    return outcome;
  }
  // All that a careless log line could show.
  toJSON(): string {
    return 'session';
  }
  [inspect.custom](): string {
    return 'Session';
  }
}
