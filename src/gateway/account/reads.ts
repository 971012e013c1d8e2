import { hash } from 'node:crypto';
import { Failure } from '../http/errors.ts';
import type { Metrics } from '../http/metrics.ts';
import type { Reservation } from '../limiter/queue.ts';
import type { Fetch, Fetched, Manner } from './fetched.ts';
import { isLimited } from './limited.ts';
import type { KeptAnswer, KeptStore, Look } from './kept.ts';
import type { Vault } from './vault.ts';
import type { Answer } from './write-through.ts';

/** A read to answer: `again` when the browser wants it from the API, `joinable` names what two readers must have in common to share an answer. */
export interface ReadWish {
  readonly vault: Vault;
  readonly url: string;
  readonly again: boolean;
  readonly joinable: string;
  readonly signal: AbortSignal;
  readonly fetch: Fetch;
  /** What was looked up for it already, and a place for it. */
  readonly early?: { readonly look: Promise<Look>; readonly place: Reservation | undefined } | undefined;
}

/** A kept answer that may be shown: how long ago the API was asked for it, and how long it is given without asking again. */
interface Held {
  readonly answer: Answer;
  readonly ageMs: number;
  readonly leftMs: number;
}

interface Landed extends Fetched {
  readonly moved: boolean;
  readonly newer: KeptAnswer | undefined;
  readonly now: number;
}

interface Flight {
  readonly leaving: AbortController;
  readonly outcome: Promise<Landed>;
  readers: number;
}

const name = 'my-account-bff';
const largestKept = 65_536;
// An answer that a write overtook is asked for once more. A second one overtaken is shown: it is younger than every write that had ended when it was asked for.
const rounds = 2;
// Own writes keep an answer current, but what was changed elsewhere must show in the end: after so many times its time it is asked for again.
const longestTimes = 10;

// With an answer at hand: behind those who have none, and only into a place that is free.
const hurried: Manner = { again: true, patient: false };

const onlyAway = (error: unknown): undefined => {
  if (error instanceof Failure && error.code === 'store_unavailable') return undefined;
  throw error;
};

/** A strong validator of these bytes (RFC 9110 section 8.8.3). */
export const etagOf = (body: Buffer): string => `"${hash('sha256', body, 'base64url').slice(0, 27)}"`;

/**
 * Reads that cost as little of the budget as they can: identical ones under way are joined, an answer younger than `keepMs` is given again, an
 * older one only when the budget has no room. Never one from before a write that has ended. `Age` and `Cache-Status` (RFC 9211) say which.
 */
export function createReads(parts: { readonly store: KeptStore; readonly keepMs: number; readonly metrics: Metrics }) {
  const { store, keepMs, metrics } = parts;
  const flights = new Map<string, Flight>();

  const open = ({ vault, url }: ReadWish, kept: KeptAnswer | undefined, now: number): Held | undefined => {
    const answer = kept && vault.openAnswer(vault.nameOf(url), kept.sealed);
    if (kept === undefined || answer === undefined || answer.awaits !== undefined) return undefined;
    const ageMs = Math.max(0, now - answer.askedAt);
    return { answer, ageMs, leftMs: Math.min(kept.storedAt + keepMs - now, longestTimes * keepMs - ageMs) };
  };

  const told = ({ answer, ageMs, leftMs }: Held, detail: string): Fetched => {
    const age = Math.floor(ageMs / 1000);
    const status = `${name}; hit; ttl=${Math.floor(leftMs / 1000)}${detail}`;
    return {
      read: { status: 200, headers: { 'content-type': answer.type }, body: answer.body, rest: undefined },
      extra: { Age: String(age), 'Cache-Status': status },
      kept: true,
    };
  };
  /** What was kept since, and may still be given. */
  const atHand = async (wish: ReadWish): Promise<Fetched | undefined> => {
    const look = await store.look(wish.vault.room, wish.vault.nameOf(wish.url)).catch(onlyAway);
    const held = look && open(wish, look.kept, look.now);
    return held !== undefined && held.leftMs > 0 ? told(held, '') : undefined;
  };

  const start = (wish: ReadWish, key: string, look: Look, how: Manner): Flight => {
    const leaving = new AbortController();
    const run = async (): Promise<Landed> => {
      const fetched = await wish.fetch(leaving.signal, how);
      const { status, headers, body, rest } = fetched.read;
      const type = headers['content-type'];
      if (fetched.kept === true || status !== 200 || rest !== undefined || typeof type !== 'string' || body.length > largestKept) {
        return { ...fetched, moved: false, newer: undefined, now: 0 };
      }
      const { vault, url } = wish;
      const field = vault.nameOf(url);
      const sealed = vault.closeAnswer(field, { url, type, body, askedAt: look.now });
      const kept = await store.keep(vault.room, field, look.epoch, sealed).catch(onlyAway);
      // Whether a write came between cannot be known then: the same as if one had.
      if (kept === undefined) return { ...fetched, moved: true, newer: undefined, now: 0 };
      return { ...fetched, moved: kept.kind === 'moved', newer: kept.kept, now: kept.now };
    };
    const flight: Flight = { leaving, readers: 0, outcome: run().finally(() => flights.delete(key)) };
    flights.set(key, flight);
    // A flight that nobody waits for any more fails unheard.
    flight.outcome.catch(() => undefined);
    return flight;
  };

  const board = async (flight: Flight, signal: AbortSignal): Promise<Landed> => {
    flight.readers++;
    let aboard = true;
    const leave = (): void => {
      if (!aboard) return;
      aboard = false;
      flight.readers--;
      if (flight.readers === 0) flight.leaving.abort(signal.reason);
    };
    signal.addEventListener('abort', leave);
    try {
      return await flight.outcome;
    } finally {
      aboard = false;
      signal.removeEventListener('abort', leave);
    }
  };

  return async function read(wish: ReadWish): Promise<Fetched> {
    const { vault, url, signal } = wish;
    const field = vault.nameOf(url);
    for (let round = 0; ; round++) {
      const early = round === 0 ? wish.early : undefined;
      const look = await (early?.look ?? store.look(vault.room, field)).catch(onlyAway);
      // On a Cluster the session may be there and what was kept out of reach: the API knows.
      if (look === undefined) return await wish.fetch(signal, { again: false, patient: true });
      const held = open(wish, look.kept, look.now);
      if (held !== undefined && held.leftMs > 0 && (!wish.again || round > 0)) {
        metrics.reads.inc({ outcome: 'kept' });
        return told(held, '');
      }
      const key = `${field} ${look.epoch} ${wish.joinable}`;
      const joined = flights.get(key);
      const why = wish.again ? 'request' : held === undefined ? 'uri-miss' : 'stale';
      try {
        const flight =
          joined ??
          start(
            wish,
            key,
            look,
            held === undefined ? { again: false, patient: true, place: early?.place, atHand: () => atHand(wish) } : hurried,
          );
        const outcome = await board(flight, signal);
        // A stream is read once: whoever joined one fetches its own.
        if (joined !== undefined && outcome.read.rest !== undefined) return await wish.fetch(signal, { again: false, patient: true });
        if (outcome.kept === true) {
          metrics.reads.inc({ outcome: 'kept' });
          return { read: outcome.read, extra: outcome.extra };
        }
        if (outcome.moved) {
          const newer = open(wish, outcome.newer, outcome.now);
          if (newer !== undefined) {
            metrics.reads.inc({ outcome: 'kept' });
            return told(newer, '');
          }
          if (round + 1 < rounds) continue;
        }
        metrics.reads.inc({ outcome: joined === undefined ? 'fetched' : 'joined' });
        const status = `${name}; fwd=${why}; fwd-status=${outcome.read.status}${joined === undefined ? '' : '; collapsed'}`;
        return { read: outcome.read, extra: { ...outcome.extra, Age: '0', 'Cache-Status': status } };
      } catch (error) {
        if (held === undefined || !isLimited(error)) throw error;
        metrics.reads.inc({ outcome: 'kept_over_budget' });
        return told(held, '; detail="no room in the budget"');
      }
    }
  };
}
