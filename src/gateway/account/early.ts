import type { Request, Response } from 'express';
import type { Failure } from '../http/errors.ts';
import type { Limiter, Refused as Verdict } from '../limiter/limiter.ts';
import type { Reservation } from '../limiter/queue.ts';
import type { ScriptPipeline } from '../redis/client.ts';
import { createRecent } from '../session/recent.ts';
import type { Look } from './kept.ts';
import { limited } from './limited.ts';
import type { Caller, Callers, Keep } from './parts.ts';
import { readTarget, routeOf, type Target } from './path.ts';
import { asksAgain } from './request.ts';
import { openVault, type Vault } from './vault.ts';

/** A read whose session, kept answer and place in the budget are asked for in one trip. */
export interface Early<C extends Caller> {
  /** Whose answers and places these are. */
  readonly user: string;
  readonly caller: Promise<C | undefined>;
  readonly target: Target;
  /** What is kept, and where; undefined where nothing is kept at all. */
  readonly kept: { readonly vault: Vault; readonly look: Promise<Look> } | undefined;
  readonly place: Reservation | undefined;
  /** Gives back what was not taken up: to be called when the request is over, whatever came of it. */
  release(): void;
}

/** What a session was seen to be when a request brought its cookie a moment ago. No token is in it. */
interface Known {
  readonly user: string;
  readonly secret: Buffer | undefined;
  readonly scopes: readonly string[];
}

interface Refused {
  readonly until: number;
  /** Under which names something may be kept all the same; undefined until that is known. */
  names: ReadonlySet<string> | undefined;
  /** What was said last, and with how many seconds to wait: the next one in the same second is told the same. */
  said?: { readonly seconds: number; readonly failure: Failure };
}

const rememberedAtMost = 10_000;
const knownMs = 30_000;
// How long a refusal is given without a look at what other gateways may have kept meanwhile.
const refusedMs = 500;
const nobody: ReadonlySet<string> = new Set();

/**
 * Whoever came a moment ago is likely to be let through again. So a read asks for all it will need at once, and the server takes no place in the
 * budget when the session is gone or an answer is at hand. And a flood is refused here without any trip, until the budget could have room again.
 */
export function createEarly<C extends Caller>(parts: {
  readonly publicPath: string;
  readonly callers: Callers<C>;
  readonly limiter: Limiter;
  readonly keep: Keep<C> | undefined;
  readonly chain: (() => ScriptPipeline) | undefined;
}) {
  const { publicPath, callers, limiter, keep, chain } = parts;
  const seen = createRecent<Known>(rememberedAtMost, knownMs);
  const refused = createRecent<Refused>(rememberedAtMost, 2 * refusedMs);
  const asking = new Set<string>();

  const targetOf = (req: Request): Target | undefined => {
    try {
      return readTarget('GET', req.originalUrl, publicPath);
    } catch {
      return undefined;
    }
  };
  const sayAgain = (before: Refused, { by, retryAfterSeconds: seconds, quota }: Verdict, { bucket }: Target): Failure => {
    if (before.said?.seconds !== seconds) before.said = { seconds, failure: limited(by, seconds, { quota, bucket }) };
    return before.said.failure;
  };
  const placeOf = (key: string, { operation, bucket }: Target): string => `${key} ${operation.name} ${bucket}`;

  return {
    /**
     * Starts looking, for a read of one session seen lately that its last request said may go; undefined for all others. A refusal known to hold
     * is answered, not thrown: V8 looks up where each thrown error comes from, a sixth of what a refusal costs.
     */
    begin(req: Request, res: Response): Early<C> | Failure | undefined {
      if (chain === undefined || req.method !== 'GET' || callers.foreign(req) !== undefined) return undefined;
      const one = callers.one(req);
      const known = one && seen.get(one.key);
      if (one === undefined || known === undefined) return undefined;
      const target = targetOf(req);
      if (target === undefined || !known.scopes.includes(target.operation.scope)) return undefined;
      const { user } = known;
      const vault = keep && openVault(keep.seal, known.secret, { key: one.key, user }, target);
      const name = vault?.nameOf(target.url) ?? `${one.key} ${target.url}`;
      const wish = { user, bucket: target.bucket, priority: 'first' } as const;
      const again = asksAgain(req.headers);
      if (!again) {
        const before = refused.get(placeOf(one.key, target));
        const verdict = before?.names?.has(name) === false && before.until > performance.now() ? limiter.refusal(wish) : undefined;
        if (before !== undefined && verdict !== undefined) {
          res.locals.route = routeOf(publicPath, target);
          return sayAgain(before, verdict, target);
        }
      }
      const trip = chain();
      const caller = one.find(trip);
      const look = vault && keep.store.look(vault.room, name, trip);
      // One place for all who read the same: the others join the first.
      const place = again || asking.has(name) ? undefined : limiter.reserve(wish, trip);
      if (place !== undefined) asking.add(name);
      trip.send();
      // Whoever needs it hears of it; where the session is gone nobody does.
      look?.catch(() => undefined);
      return {
        user,
        caller,
        target,
        place,
        kept: vault && look && { vault, look },
        release() {
          if (place === undefined) return;
          asking.delete(name);
          place.release();
        },
      };
    },
    /** Told what a request of a session may do. */
    saw(caller: C, scopes: readonly string[]): void {
      seen.set(caller.key, { user: caller.user, secret: keep?.secretOf(caller), scopes });
    },
    /** Told that a read was refused for want of room. */
    wasRefused(caller: C, target: Target): void {
      const place = placeOf(caller.key, target);
      const now = performance.now();
      if (chain === undefined || (refused.get(place)?.until ?? 0) > now) return;
      const entry: Refused = { until: now + refusedMs, names: undefined };
      refused.set(place, entry);
      const vault = keep && openVault(keep.seal, keep.secretOf(caller), caller, target);
      if (vault === undefined || keep === undefined) entry.names = nobody;
      else
        keep.store.names(vault.room, vault.prefix).then(
          (names) => (entry.names = names),
          () => undefined,
        );
    },
  };
}
