import type { Request, Response } from 'express';
import type { Cache } from '../cache/cache.ts';
import { openEntries } from '../cache/sealed-entry.ts';
import type { SealedEntries } from '../cache/sealed-entry.ts';
import type { Failure } from '../http/errors.ts';
import type { Limiter, Refused as Verdict } from '../limiter/limiter.ts';
import { rateLimited } from '../limiter/rate-limited.ts';
import type { Prefetched } from '../my-account/client.ts';
import { wantsRevalidation } from '../my-account/headers.ts';
import { areaOf, readTarget, routeOf } from '../my-account/target.ts';
import type { Target } from '../my-account/target.ts';
import type { ScriptPipeline } from '../redis/scripts.ts';
import { createRecentCache } from '../session/recent-cache.ts';
import type { Session } from '../session/sessions.ts';

/** How the route finds the session of a request. */
export interface SessionLookup {
  /** Returns the signed-in session, or undefined when there is none. */
  find(req: Request): Promise<Session | undefined>;
  /**
   * Where only one session can be meant: its key, and how to find it as the first call of a
   * pipeline that goes no further without it.
   */
  one(
    req: Request,
  ):
    | { readonly key: string; find(pipeline: ScriptPipeline): Promise<Session | undefined> }
    | undefined;
  /** Returns why the request counts as another site's; undefined for the page's own. */
  crossSiteReason(req: Request): string | undefined;
}

/** A read whose session, cached answer and place in the budget are asked for in one trip. */
export interface Prefetch extends Prefetched {
  /** Whose answers and places these are. */
  readonly user: string;
  readonly session: Promise<Session | undefined>;
  readonly target: Target;
  /** Gives back what was not taken up: to be called when the request is over, whatever came of it. */
  release(): void;
}

/** What a session was seen to be when a request brought its cookie a moment ago. No token is in it. */
interface Seen {
  readonly user: string;
  readonly cacheKey: Buffer;
  readonly scopes: readonly string[];
}

interface Refused {
  readonly until: number;
  /** Under which names something may be cached all the same; undefined until that is known. */
  names: ReadonlySet<string> | undefined;
  /** What was said last, and with how many seconds to wait: the next one in the same second is told the same. */
  said?: { readonly seconds: number; readonly failure: Failure };
}

const rememberedAtMost = 10_000;
const seenMs = 30_000;
// How long a refusal is given without a look at what other gateways may have cached meanwhile.
const refusedMs = 500;
const nobody: ReadonlySet<string> = new Set();

/**
 * Makes the prefetch. Whoever came a moment ago is likely to be let through again: so a read asks
 * for all it will need at once, and the server takes no place in the budget when the session is gone
 * or an answer is at hand. And a flood is refused here without any trip, until the budget could have
 * room again.
 */
export function createPrefetch(parts: {
  readonly publicPath: string;
  readonly sessions: SessionLookup;
  readonly limiter: Limiter;
  readonly cache: Cache | undefined;
  readonly pipeline: (() => ScriptPipeline) | undefined;
}) {
  const { publicPath, sessions, limiter, cache, pipeline } = parts;
  const seen = createRecentCache<Seen>(rememberedAtMost, seenMs);
  const refused = createRecentCache<Refused>(rememberedAtMost, 2 * refusedMs);
  const asking = new Set<string>();

  const targetOf = (req: Request): Target | undefined => {
    try {
      return readTarget('GET', req.originalUrl, publicPath);
    } catch {
      return undefined;
    }
  };
  const entriesOf = (
    { user, cacheKey }: Pick<Seen, 'user' | 'cacheKey'>,
    { operation }: Target,
  ): SealedEntries | undefined =>
    cache && openEntries(cache.seal, cacheKey, { user, area: areaOf(operation) });
  const sayAgain = (
    before: Refused,
    { by, retryAfterSeconds: seconds, quota }: Verdict,
    { bucket }: Target,
  ): Failure => {
    if (before.said?.seconds !== seconds) {
      const failure = rateLimited(by, seconds, { quota, bucket });
      before.said = { seconds, failure };
    }
    return before.said.failure;
  };
  const bucketOf = (key: string, { operation, bucket }: Target): string =>
    `${key} ${operation.name} ${bucket}`;

  return {
    /**
     * Starts looking, for a read of one session seen lately that its last request said may go;
     * undefined for all others. A refusal known to hold is returned, not thrown: V8 looks up where
     * each thrown error comes from, a sixth of what a refusal costs.
     */
    begin(req: Request, res: Response): Prefetch | Failure | undefined {
      if (pipeline === undefined || req.method !== 'GET') return undefined;
      if (sessions.crossSiteReason(req) !== undefined) return undefined;
      const one = sessions.one(req);
      const known = one && seen.get(one.key);
      if (one === undefined || known === undefined) return undefined;
      const target = targetOf(req);
      if (target === undefined || !known.scopes.includes(target.operation.scope)) return undefined;
      const { user } = known;
      const entries = entriesOf(known, target);
      const name = entries?.nameOf(target.url) ?? `${one.key} ${target.url}`;
      const place = { user, bucket: target.bucket, priority: 'first' } as const;
      const revalidate = wantsRevalidation(req.headers);
      if (!revalidate) {
        const before = refused.get(bucketOf(one.key, target));
        const holds = before?.names?.has(name) === false && before.until > performance.now();
        const verdict = holds ? limiter.refusal(place) : undefined;
        if (before !== undefined && verdict !== undefined) {
          res.locals.route = routeOf(publicPath, target);
          return sayAgain(before, verdict, target);
        }
      }
      const trip = pipeline();
      const session = one.find(trip);
      const lookup = entries && cache?.store.get(entries.namespace, name, trip);
      // One place for all who read the same: the others join the first.
      const reservation = revalidate || asking.has(name) ? undefined : limiter.reserve(place, trip);
      if (reservation !== undefined) asking.add(name);
      trip.send();
      // Whoever needs it hears of it; where the session is gone nobody does.
      lookup?.catch(() => undefined);
      return {
        user,
        session,
        target,
        entries,
        lookup,
        reservation,
        release() {
          if (reservation === undefined) return;
          asking.delete(name);
          reservation.release();
        },
      };
    },
    /** Told what a request of a session may do. */
    saw(session: Session, scopes: readonly string[]): void {
      const { key, user, vault: cacheKey } = session;
      seen.set(key, { user, cacheKey, scopes });
    },
    /** Told that a read was refused for want of room. */
    wasRefused(session: Session, target: Target): void {
      const bucket = bucketOf(session.key, target);
      const now = performance.now();
      if (pipeline === undefined || (refused.get(bucket)?.until ?? 0) > now) return;
      const entry: Refused = { until: now + refusedMs, names: undefined };
      refused.set(bucket, entry);
      const { user, vault: cacheKey } = session;
      const entries = entriesOf({ user, cacheKey }, target);
      if (entries === undefined || cache === undefined) {
        entry.names = nobody;
        return;
      }
      cache.store.names(entries.namespace, entries.prefix).then(
        (names) => (entry.names = names),
        () => undefined,
      );
    },
  };
}
