import type { ScriptPipeline } from '../redis/scripts.ts';

/**
 * Cached answers by namespace: one part of one user's account, what a write there can change. The
 * store sees sealed bytes only. An epoch goes up whenever a write begins or ends, and an answer
 * counts only in the epoch it was put in: so no read can be answered with something older than a
 * write that ended before it, on any gateway. Times are milliseconds of the store's clock.
 */
export interface CacheStore {
  /**
   * Returns what is cached under a name, if it still counts, and the epoch to put a newer answer
   * in. In a pipeline nothing that comes after is done when there is something.
   */
  get(namespace: string, name: string, pipeline?: ScriptPipeline): Promise<CacheLookup>;
  /** Returns the names beginning with this under which something may be cached. */
  names(namespace: string, prefix: string): Promise<ReadonlySet<string>>;
  /**
   * Puts the answer to a read that began in this epoch. `moved`: a write began or ended meanwhile,
   * so the answer may be older than it; what is cached by now comes instead. `open`: a write is
   * under way, or the store is full, and the answer, though true enough to show, is not cached.
   */
  put(namespace: string, name: string, epoch: number, sealed: Buffer): Promise<PutResult>;
  /**
   * Says that a write begins: what is cached counts no longer. Returns the answers whose names
   * begin with this, as they were before it.
   */
  beginWrite(namespace: string, prefix: string): Promise<WriteBegin>;
  /** Says that a write ended. */
  endWrite(namespace: string, end: WriteEnd): Promise<void>;
}

/** A sealed answer, and when it came from the API or was last brought up to date by a write of the user's own. */
export interface CacheEntry {
  readonly storedAt: number;
  readonly sealed: Buffer;
}

/** The epoch is 0 where nothing was ever cached. */
export interface CacheLookup {
  readonly epoch: number;
  readonly now: number;
  readonly entry: CacheEntry | undefined;
}

/** What became of an answer that was put, and what is cached instead where a write came between. */
export interface PutResult {
  readonly kind: 'put' | 'open' | 'moved';
  readonly now: number;
  readonly entry: CacheEntry | undefined;
}

/** The epoch of a write that has begun, and a session's answers before it. */
export interface WriteBegin {
  readonly epoch: number;
  readonly answers: ReadonlyMap<string, Buffer>;
}

/**
 * What a write did to the cached answers: `applied` replaces the given ones, whose time runs anew,
 * and drops the rest, `untouched` leaves them, `unknown` drops all.
 */
export interface WriteEnd {
  readonly epoch: number;
  readonly how: 'applied' | 'untouched' | 'unknown';
  readonly answers: ReadonlyMap<string, Buffer>;
}

/** How long an answer stays at hand, to be shown when the budget has no room, in milliseconds. */
export const retainMs = 600_000;
/** How long a write under way is believed in, in milliseconds: longer than its place in line, its token and its answer may take. */
export const writeLastsMs = 30_000;
