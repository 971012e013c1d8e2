import type { Cache } from '../cache/cache.ts';
import { createIdempotency } from '../cache/idempotency.ts';
import { createReads } from '../cache/reads.ts';
import type { FetchOptions, FetchResult } from '../cache/reads.ts';
import { openEntries } from '../cache/sealed-entry.ts';
import type { SealedEntries } from '../cache/sealed-entry.ts';
import type { CacheLookup } from '../cache/store.ts';
import type { Metrics } from '../http/metrics.ts';
import type { UpstreamResponse } from '../http/upstream-response.ts';
import type { Limiter } from '../limiter/limiter.ts';
import type { Reservation } from '../limiter/queue.ts';
import type { Session } from '../session/sessions.ts';
import type { Transport } from './call.ts';
import type { Tokens } from './context.ts';
import { createExchange } from './exchange.ts';
import type { ProxiedRequest } from './exchange.ts';
import { readOf } from './operations.ts';
import { areaOf } from './target.ts';

/** What the client is made of; `upstream` is the tenant's origin, `answerMs` milliseconds. */
export interface ClientParts {
  readonly upstream: string;
  readonly publicPath: string;
  readonly tokens: Tokens;
  readonly limiter: Limiter;
  readonly transport: Transport;
  readonly metrics: Metrics;
  readonly answerMs: number;
  /** Without it every read is sent, and every change as often as it is asked for. */
  readonly cache?: Cache | undefined;
  /** Told when a change went through. */
  readonly changed?: ((session: Session) => void) | undefined;
}

/** A request to the API as this session, and how its response may be shared. */
export interface ClientRequest extends ProxiedRequest {
  readonly signal: AbortSignal;
  /** The client's `Idempotency-Key`, of a change. */
  readonly key?: string | undefined;
  /** The read must come from the API. */
  readonly revalidate?: boolean;
  /** What two reads must have in common to share a response. */
  readonly coalesceKey?: string;
  readonly prefetched?: Prefetched | undefined;
}

/** What was looked up for a read already: its entries, where there is a cache, and a place in the budget. */
export interface Prefetched {
  readonly entries: SealedEntries | undefined;
  readonly lookup: Promise<CacheLookup> | undefined;
  readonly reservation: Reservation | undefined;
}

/**
 * The one client of Auth0's My Account API. Returns what the API says to the user, from the API or
 * from the cache; throws Failure for everything else: `step_up_required` (as the request makes it),
 * `login_required`, `rate_limited`, `tenant_busy`, `outcome_unknown`, `upstream_unreachable`,
 * `upstream_timeout`, `store_unavailable`; TruncatedResponse when the response broke off.
 */
export type Client = (request: ClientRequest) => Promise<FetchResult>;

const first: FetchOptions = { revalidate: false, mayQueue: true };

/** Makes the client: cache and idempotency before budget, token, call and interpretation. */
export function createClient(parts: ClientParts): Client {
  const { upstream, publicPath, tokens, limiter, transport, metrics, answerMs, cache } = parts;
  const exchange = createExchange({ upstream, tokens, limiter, transport, metrics });
  const reads =
    cache && cache.freshMs > 0
      ? createReads({ store: cache.store, freshMs: cache.freshMs, metrics })
      : undefined;
  const once =
    cache && createIdempotency({ changes: cache.changes, store: cache.store, waitMs: answerMs });

  const entriesOf = ({ session, target }: ProxiedRequest): SealedEntries | undefined => {
    const owner = { user: session.user, area: areaOf(target.operation) };
    return cache && openEntries(cache.seal, session.vault, owner);
  };

  const read = (request: ClientRequest): Promise<FetchResult> => {
    const { target, signal, prefetched, revalidate = false, coalesceKey = '' } = request;
    const entries = reads && (prefetched?.entries ?? entriesOf(request));
    if (entries === undefined || reads === undefined) {
      const reservation = prefetched?.reservation;
      return exchange(request, { ...first, reservation }, signal);
    }
    const lookup = prefetched?.lookup;
    return reads({
      entries,
      url: target.url,
      revalidate,
      coalesceKey,
      signal,
      fetch: (own, options) => exchange(request, options, own),
      prefetched: lookup && { lookup, reservation: prefetched.reservation },
    });
  };

  const change = async (request: ClientRequest): Promise<FetchResult> => {
    const { target, body, key, signal } = request;
    const { operation, url, id } = target;
    const entries = once && entriesOf(request);
    if (entries === undefined || once === undefined) return exchange(request, first, signal);
    let extra: FetchResult['extra'] = {};
    const send = async (): Promise<UpstreamResponse> => {
      const fetched = await exchange(request, first, signal);
      ({ extra } = fetched);
      return fetched.response;
    };
    const { response, repeated } = await once({
      entries,
      operation: operation.name,
      method: operation.method,
      url,
      id,
      body,
      key,
      lookAt: `${publicPath}/v1${readOf(entries.area)}`,
      signal,
      send,
    });
    return { response, extra: repeated ? { 'Idempotency-Replayed': 'true' } : extra };
  };

  return async function client(request) {
    if (request.target.operation.method === 'GET') return read(request);
    const result = await change(request);
    if (result.response.status < 300) parts.changed?.(request.session);
    return result;
  };
}
