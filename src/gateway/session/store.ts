import type { ScriptPipeline } from '../redis/scripts.ts';

/**
 * One entry per session: a short head in the clear, which a store can compare and change by itself,
 * and the sealed record behind it. Head, big-endian: version 1 byte, generation 4, absolute end 6,
 * created 6; then the lease: holder 8, until 6, spent 6. Times are milliseconds of the store's
 * clock. In a tombstone the generation is 0, which no living entry has, and the true one stands
 * where the lease stood. One that was passed on is a head alone, with generation 0 and a holder
 * that says so.
 */
export const layout = { version: 1, bound: 17, head: 37 } as const;

/** What the head says and the sealed record behind it. */
export interface Entry {
  readonly generation: number;
  readonly endsAt: number;
  readonly createdAt: number;
  readonly sealed: Buffer;
}

/**
 * An entry as read: with the store's clock at that moment and the milliseconds until it ends for
 * want of requests.
 */
export interface Found {
  readonly entry: Entry;
  readonly now: number;
  readonly idleLeftMs: number;
}

/**
 * How long things last for whoever has the right to spend a generation's refresh token, in
 * milliseconds.
 */
export interface LeaseTerms {
  /** How long a lease holds without a sign of life. */
  readonly leaseMs: number;
  /**
   * How long after the first spending a lease that lapsed is given to another: the tenant takes the
   * same token again.
   */
  readonly leewayMs: number;
  /** How long after its last sign of life a holder may still write what it got. */
  readonly writeMs: number;
}

/**
 * The answer to asking for the right to spend a generation's refresh token: `acquired`; `busy`
 * (someone else does, may still write its answer, or a pause holds: for at most waitMs; sinceMs
 * after it was first spent, where it was); `superseded` (already done, here is the entry);
 * `abandoned` (a former holder began agoMs ago and can no longer write); `gone` (the session
 * ended).
 */
export type Lease =
  | { readonly kind: 'acquired'; readonly now: number }
  | { readonly kind: 'busy'; readonly waitMs: number; readonly sinceMs: number | undefined }
  | { readonly kind: 'superseded'; readonly found: Found }
  | { readonly kind: 'abandoned'; readonly agoMs: number }
  | { readonly kind: 'gone' };

/**
 * What became of a write: `replaced`; `stale` (there is a newer generation); `held` (somebody else
 * spends this one just now); `gone` (the session ended); `passed_on` (it ended because its user
 * signed in anew in the same browser).
 */
export type Replaced = 'replaced' | 'stale' | 'held' | 'gone' | 'passed_on';

/**
 * Where session entries live, shared by all gateways or in this process; every time is the store's
 * own, so gateways' clocks do not matter.
 */
export interface Store {
  /** The store's clock, milliseconds since 1970. */
  now(): Promise<number>;
  /**
   * Writes a new entry that ends after idleMs without a read; false where there is one, or was one
   * that was buried.
   */
  create(key: string, entry: Entry, idleMs: number): Promise<boolean>;
  /**
   * Reads an entry and, with idleMs, starts its idle time anew; undefined when it never was, ended,
   * or its absolute end has passed. `buried` is called when it ended and left a tombstone. In a
   * chain nothing that comes after is done when there is none.
   */
  read(
    key: string,
    idleMs?: number,
    buried?: () => void,
    chain?: ScriptPipeline,
  ): Promise<Found | undefined>;
  /** Writes the next generation over the given one; never makes an entry that is not there. */
  replace(
    key: string,
    entry: Entry,
    over: { readonly generation: number; readonly holder?: Buffer },
  ): Promise<Replaced>;
  /**
   * Asks for the right to spend a generation; granted for leaseMs and marked spent at once. Within
   * leewayMs of a lost exchange it is granted again.
   */
  lease(key: string, generation: number, holder: Buffer, terms: LeaseTerms): Promise<Lease>;
  /** Ends a session whose generation is lost; false when somebody may still write it, or has. */
  abandon(key: string, generation: number, terms: LeaseTerms): Promise<boolean>;
  /** Keeps a lease alive for another leaseMs; false when it is no longer held. */
  renew(key: string, holder: Buffer, leaseMs: number): Promise<boolean>;
  /** Gives a lease back unspent; nobody gets it for pauseMs. */
  release(key: string, holder: Buffer, pauseMs: number): Promise<void>;
  /** Ends a session and leaves nothing of it; true when it was there. */
  end(key: string): Promise<boolean>;
  /**
   * Ends a session that another follows in the same browser, and leaves word of that for forMs;
   * true when it was there.
   */
  passOn(key: string, forMs: number): Promise<boolean>;
  /**
   * Ends a session and leaves a tombstone, which is gone for everything but reclaim; it lasts as
   * long as the session was going to without requests, at most forMs. A name without an entry is
   * taken for a minute, so a sign-in under way cannot begin under it. True when the session was
   * there.
   */
  tombstone(key: string, forMs: number): Promise<boolean>;
  /**
   * Takes what a tombstone holds, as it was at the end; once, whoever asks. Undefined where there
   * is none, or nothing in it.
   */
  reclaim(key: string): Promise<Entry | undefined>;
  /**
   * Notes a session under its user, with sealed facts for the user's own list, and under Auth0's
   * session id.
   */
  index(
    place: { readonly user: string; readonly sid?: string | undefined },
    key: string,
    facts: Buffer,
    forMs: number,
  ): Promise<void>;
  /** The keys and facts noted under a user, ended ones among them. */
  ofUser(user: string): Promise<ReadonlyMap<string, Buffer>>;
  /**
   * The keys noted under Auth0's session id, ended ones among them, and whose they are; empty when
   * it was never known, or long ago.
   */
  ofSid(sid: string): Promise<readonly { readonly user: string; readonly key: string }[]>;
  /** Takes keys off a user's list. */
  unindex(user: string, keys: readonly string[]): Promise<void>;
  /** True the first time a name is given within forMs, false ever after. */
  consumeOnce(name: string, forMs: number): Promise<boolean>;
  /** Whether a name was given to consumeOnce, and its time is not over. */
  isConsumed(name: string): Promise<boolean>;
  close(): void;
}

/**
 * The bytes of the head that the seal authenticates: version, generation, absolute end, created.
 */
export const boundHead = ({ generation, endsAt, createdAt }: Omit<Entry, 'sealed'>): Buffer => {
  const head = Buffer.alloc(layout.bound);
  head.writeUInt8(layout.version, 0);
  head.writeUInt32BE(generation, 1);
  head.writeUIntBE(endsAt, 5, 6);
  head.writeUIntBE(createdAt, 11, 6);
  return head;
};

/** Writes an entry as the bytes a store keeps, its lease free. */
export const writeEntry = (entry: Entry): Buffer =>
  Buffer.concat([boundHead(entry), Buffer.alloc(layout.head - layout.bound), entry.sealed]);

/** Reads the bytes a store kept; undefined when they are of another version. */
export const readEntry = (bytes: Buffer): Entry | undefined => {
  if (bytes.length <= layout.head || bytes.readUInt8(0) !== layout.version) return undefined;
  return {
    generation: bytes.readUInt32BE(1),
    endsAt: bytes.readUIntBE(5, 6),
    createdAt: bytes.readUIntBE(11, 6),
    sealed: bytes.subarray(layout.head),
  };
};

/** Reads the bytes of a tombstone as the entry it was; undefined for one that never held any. */
export const readTombstone = (bytes: Buffer): Entry | undefined => {
  const entry = readEntry(bytes);
  return entry && { ...entry, generation: bytes.readUInt32BE(layout.bound) };
};
