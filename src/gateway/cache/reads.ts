import { hash } from 'node:crypto';
import { Failure } from '../http/errors.ts';
import type { Metrics } from '../http/metrics.ts';
import type { UpstreamResponse } from '../http/upstream-response.ts';
import type { Reservation } from '../limiter/queue.ts';
import { isRateLimited } from '../limiter/rate-limited.ts';
import type { CachedAnswer, SealedEntries } from './sealed-entry.ts';
import type { CacheEntry, CacheLookup, CacheStore } from './store.ts';

/** How to ask for a place in the budget. */
export interface FetchOptions {
  /** Behind first reads: the browser has an answer, and wants a newer one. */
  readonly revalidate: boolean;
  /** Whether it may wait in line; else only for a place that is free. */
  readonly mayQueue: boolean;
  /** A first read's place, asked for already. */
  readonly reservation?: Reservation | undefined;
  /** Returns what was cached by now, for one who had to wait. */
  readonly cachedMeanwhile?: () => Promise<FetchResult | undefined>;
}

/** A response of the API, and the headers that go with this request. */
export interface FetchResult {
  readonly response: UpstreamResponse;
  readonly extra: Readonly<Record<string, string>>;
  /** Not from the API, but out of the cache. */
  readonly cached?: boolean;
}

/** A read to answer. */
export interface ReadRequest {
  readonly entries: SealedEntries;
  readonly url: string;
  /** The browser wants it from the API. */
  readonly revalidate: boolean;
  /** What two readers must have in common to share a response. */
  readonly coalesceKey: string;
  readonly signal: AbortSignal;
  readonly fetch: (signal: AbortSignal, options: FetchOptions) => Promise<FetchResult>;
  /** What was looked up for it already, and a place for it. */
  readonly prefetched?:
    | { readonly lookup: Promise<CacheLookup>; readonly reservation: Reservation | undefined }
    | undefined;
}

/** A cached answer that may be shown: how long ago the API was asked for it, and how long it is given without asking again. */
interface CacheHit {
  readonly answer: CachedAnswer;
  readonly ageMs: number;
  readonly leftMs: number;
}

interface StoredResponse extends FetchResult {
  readonly moved: boolean;
  readonly newer: CacheEntry | undefined;
  readonly now: number;
}

interface InFlight {
  readonly leaving: AbortController;
  readonly outcome: Promise<StoredResponse>;
  readers: number;
}

const name = 'my-account-bff';
const largestCached = 65_536;
// An answer that a write overtook is asked for once more. A second one overtaken is shown: it is
// younger than every write that had ended when it was asked for.
const rounds = 2;
// Own writes keep an answer current, but what was changed elsewhere must show in the end: after so
// many times its time it is asked for again.
const longestTimes = 10;

const first: FetchOptions = { revalidate: false, mayQueue: true };
// With an answer at hand: behind those who have none, and only into a place that is free.
const hurried: FetchOptions = { revalidate: true, mayQueue: false };

const onlyUnavailable = (error: unknown): undefined => {
  if (error instanceof Failure && error.code === 'store_unavailable') return undefined;
  throw error;
};

/** Returns a strong validator of these bytes (RFC 9110 section 8.8.3). */
export const etagOf = (body: Buffer): string =>
  `"${hash('sha256', body, 'base64url').slice(0, 27)}"`;

/**
 * Makes reads that cost as little of the budget as they can: identical ones under way are joined,
 * an answer younger than `freshMs` is given again, an older one only when the budget has no room.
 * Never one from before a write that has ended. `Age` and `Cache-Status` (RFC 9211) say which.
 */
export function createReads(parts: {
  readonly store: CacheStore;
  readonly freshMs: number;
  readonly metrics: Metrics;
}) {
  const { store, freshMs, metrics } = parts;
  const inFlight = new Map<string, InFlight>();

  const open = (
    { entries, url }: ReadRequest,
    entry: CacheEntry | undefined,
    now: number,
  ): CacheHit | undefined => {
    const answer = entry && entries.unsealAnswer(entries.nameOf(url), entry.sealed);
    if (entry === undefined || answer === undefined || answer.awaits !== undefined)
      return undefined;
    const ageMs = Math.max(0, now - answer.askedAt);
    const leftMs = Math.min(entry.storedAt + freshMs - now, longestTimes * freshMs - ageMs);
    return { answer, ageMs, leftMs };
  };

  const hitResponse = ({ answer, ageMs, leftMs }: CacheHit, detail: string): FetchResult => {
    const age = Math.floor(ageMs / 1000);
    const status = `${name}; hit; ttl=${Math.floor(leftMs / 1000)}${detail}`;
    const headers = { 'content-type': answer.type };
    return {
      response: { status: 200, headers, body: answer.body, bodyStream: undefined },
      extra: { Age: String(age), 'Cache-Status': status },
      cached: true,
    };
  };

  const cachedMeanwhile = async (request: ReadRequest): Promise<FetchResult | undefined> => {
    const { entries, url } = request;
    const found = await store.get(entries.namespace, entries.nameOf(url)).catch(onlyUnavailable);
    const hit = found && open(request, found.entry, found.now);
    return hit !== undefined && hit.leftMs > 0 ? hitResponse(hit, '') : undefined;
  };

  const put = async (
    { entries, url }: ReadRequest,
    fetched: FetchResult,
    { epoch, now }: CacheLookup,
  ): Promise<StoredResponse> => {
    const { status, headers, body, bodyStream } = fetched.response;
    const type = headers['content-type'];
    const whole = bodyStream === undefined && body.length <= largestCached;
    if (fetched.cached === true || status !== 200 || !whole || typeof type !== 'string')
      return { ...fetched, moved: false, newer: undefined, now: 0 };
    const field = entries.nameOf(url);
    const sealed = entries.sealAnswer(field, { url, type, body, askedAt: now });
    const result = await store.put(entries.namespace, field, epoch, sealed).catch(onlyUnavailable);
    // Whether a write came between cannot be known then: the same as if one had.
    if (result === undefined) return { ...fetched, moved: true, newer: undefined, now: 0 };
    return { ...fetched, moved: result.kind === 'moved', newer: result.entry, now: result.now };
  };

  const start = (
    request: ReadRequest,
    key: string,
    found: CacheLookup,
    options: FetchOptions,
  ): InFlight => {
    const leaving = new AbortController();
    const run = async (): Promise<StoredResponse> =>
      put(request, await request.fetch(leaving.signal, options), found);
    const outcome = run().finally(() => inFlight.delete(key));
    const started: InFlight = { leaving, readers: 0, outcome };
    inFlight.set(key, started);
    // One that nobody waits for any more fails unheard.
    outcome.catch(() => undefined);
    return started;
  };

  const join = async (running: InFlight, signal: AbortSignal): Promise<StoredResponse> => {
    running.readers++;
    let waiting = true;
    const leave = (): void => {
      if (!waiting) return;
      waiting = false;
      running.readers--;
      if (running.readers === 0) running.leaving.abort(signal.reason);
    };
    signal.addEventListener('abort', leave);
    try {
      return await running.outcome;
    } finally {
      waiting = false;
      signal.removeEventListener('abort', leave);
    }
  };

  return async function read(request: ReadRequest): Promise<FetchResult> {
    const { entries, url, revalidate, signal } = request;
    const field = entries.nameOf(url);
    for (let round = 0; ; round++) {
      const prefetched = round === 0 ? request.prefetched : undefined;
      const lookup = prefetched?.lookup ?? store.get(entries.namespace, field);
      const found = await lookup.catch(onlyUnavailable);
      // On a Cluster the session may be there and what is cached out of reach: the API knows.
      if (found === undefined) return await request.fetch(signal, first);
      const hit = open(request, found.entry, found.now);
      if (hit !== undefined && hit.leftMs > 0 && (!revalidate || round > 0)) {
        metrics.reads.inc({ outcome: 'kept' });
        return hitResponse(hit, '');
      }
      const key = `${field} ${found.epoch} ${request.coalesceKey}`;
      const joined = inFlight.get(key);
      const why = revalidate ? 'request' : hit === undefined ? 'uri-miss' : 'stale';
      const options: FetchOptions =
        hit === undefined
          ? {
              ...first,
              reservation: prefetched?.reservation,
              cachedMeanwhile: () => cachedMeanwhile(request),
            }
          : hurried;
      try {
        const outcome = await join(joined ?? start(request, key, found, options), signal);
        // A stream is read once: whoever joined one fetches its own.
        if (joined !== undefined && outcome.response.bodyStream !== undefined)
          return await request.fetch(signal, first);
        if (outcome.cached === true) {
          metrics.reads.inc({ outcome: 'kept' });
          return { response: outcome.response, extra: outcome.extra };
        }
        if (outcome.moved) {
          const newer = open(request, outcome.newer, outcome.now);
          if (newer !== undefined) {
            metrics.reads.inc({ outcome: 'kept' });
            return hitResponse(newer, '');
          }
          if (round + 1 < rounds) continue;
        }
        metrics.reads.inc({ outcome: joined === undefined ? 'fetched' : 'joined' });
        const collapsed = joined === undefined ? '' : '; collapsed';
        const status = `${name}; fwd=${why}; fwd-status=${outcome.response.status}${collapsed}`;
        const extra = { ...outcome.extra, Age: '0', 'Cache-Status': status };
        return { response: outcome.response, extra };
      } catch (error) {
        if (hit === undefined || !isRateLimited(error)) throw error;
        metrics.reads.inc({ outcome: 'kept_over_budget' });
        return hitResponse(hit, '; detail="no room in the budget"');
      }
    }
  };
}
