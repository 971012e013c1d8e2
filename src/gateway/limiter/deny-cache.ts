import type { Outcome } from './queue.ts';

type Refusal = Extract<Outcome, { kind: 'refused' }>;

/** Refusals that still hold, by user, bucket and priority. */
export interface DenyCache {
  /** Returns the refusal that still holds, its wait shortened by the time gone by. */
  find(key: string): Refusal | undefined;
  /** Keeps a refusal for as long as it cannot change; `maxWaitMs` before its end a request could already wait for its slot. */
  keep(key: string, refusal: Refusal, maxWaitMs: number): void;
  forget(key: string): void;
}

/** Floods are cheap: once a bucket is known to be empty, no question is asked until it could hold a token; others can only take some. Bounded. */
export function createDenyCache(now: () => number, bound: number): DenyCache {
  const kept = new Map<string, { refusal: Refusal; at: number; until: number }>();
  return {
    find(key) {
      const found = kept.get(key);
      if (!found) return undefined;
      const time = now();
      if (time < found.until) {
        return { ...found.refusal, retryMs: found.refusal.retryMs - (time - found.at) };
      }
      kept.delete(key);
      return undefined;
    },
    keep(key, refusal, maxWaitMs) {
      const at = now();
      const until = at + refusal.retryMs - maxWaitMs;
      if (until <= at) return;
      kept.delete(key);
      kept.set(key, { refusal, at, until });
      for (const [oldest] of kept) {
        if (kept.size <= bound) break;
        kept.delete(oldest);
      }
    },
    forget(key) {
      kept.delete(key);
    },
  };
}
