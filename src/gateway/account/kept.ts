import type { ScriptPipeline } from '../redis/client.ts';

/**
 * Answers kept of one room of one user (a room is the first segment of the API's path: what a write there can change). The store sees sealed
 * bytes only. An epoch goes up whenever a write begins or ends, and an answer counts only in the epoch it was kept in: so no read can be
 * answered with something older than a write that ended before it, on any gateway. Times are milliseconds of the store's clock.
 */
export interface KeptStore {
  /** What is kept under a name, if it still counts, and the epoch to keep a newer answer in. In a chain nothing that comes after is done when something is kept. */
  look(room: string, name: string, chain?: ScriptPipeline): Promise<Look>;
  /** The names beginning with this under which something may be kept. */
  names(room: string, prefix: string): Promise<ReadonlySet<string>>;
  /**
   * Keeps an answer to a read that began in this epoch. `moved`: a write began or ended meanwhile, so the answer may be older than it; what is
   * kept by now comes instead. `open`: a write is under way, or the store is full, and the answer, though true enough to show, is not kept.
   */
  keep(room: string, name: string, epoch: number, sealed: Buffer): Promise<Keep>;
  /** A write begins: what is kept counts no longer. The answers whose names begin with this come as they were before it. */
  begin(room: string, prefix: string): Promise<Begin>;
  /** A write ended. */
  end(room: string, end: End): Promise<void>;
}

/** An answer as kept, and when it came from the API or was last brought up to date by a write of the user's own. */
export interface KeptAnswer {
  readonly storedAt: number;
  readonly sealed: Buffer;
}

/** The epoch is 0 where nothing was ever kept. */
export interface Look {
  readonly epoch: number;
  readonly now: number;
  readonly kept: KeptAnswer | undefined;
}

/** What became of an answer that was to be kept, and what is kept instead where a write came between. */
export interface Keep {
  readonly kind: 'kept' | 'open' | 'moved';
  readonly now: number;
  readonly kept: KeptAnswer | undefined;
}

/** The epoch of a write that has begun, and a session's answers before it. */
export interface Begin {
  readonly epoch: number;
  readonly answers: ReadonlyMap<string, Buffer>;
}

/** What a write did to the kept answers: `applied` replaces the given ones, whose time runs anew, and drops the rest, `untouched` leaves them, `unknown` drops all. */
export interface End {
  readonly epoch: number;
  readonly how: 'applied' | 'untouched' | 'unknown';
  readonly answers: ReadonlyMap<string, Buffer>;
}

/** How long an answer stays at hand, to be shown when the budget has no room, and how long a write under way is believed in. */
export const retainMs = 600_000;
/** Longer than any write may take: its place in line, its token and its answer. */
export const writeLastsMs = 30_000;
