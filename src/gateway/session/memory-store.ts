import { layout, readEntry, writeEntry } from './store.ts';
import type { Entry, Found, Lease, LeaseTerms, Replaced, Store } from './store.ts';

interface Kept {
  bytes: Buffer;
  endsAt: number;
  idleAt: number;
  lease: { holder: string; until: number; spent: number };
  buried?: true;
  passedOn?: true;
}

const free = { holder: '', until: 0, spent: 0 };
const sweepMs = 60_000;
const takenMs = 60_000;

/**
 * Keeps session entries in this process, for one gateway without Redis; the same promises as the
 * Redis store, the clock can be handed in.
 */
export const createMemoryStore = (now: () => number = Date.now): Store => {
  const entries = new Map<string, Kept>();
  const users = new Map<string, Map<string, Buffer>>();
  const sids = new Map<string, Map<string, { user: string; until: number }>>();
  const marks = new Map<string, number>();

  const present = (key: string): Kept | undefined => {
    const kept = entries.get(key);
    if (kept === undefined) return undefined;
    if (kept.endsAt > now() && kept.idleAt > now()) return kept;
    entries.delete(key);
    return undefined;
  };
  const live = (key: string): Kept | undefined => {
    const kept = present(key);
    return kept?.buried === true || kept?.passedOn === true ? undefined : kept;
  };
  const found = (kept: Kept): Found | undefined => {
    const entry = readEntry(kept.bytes);
    return entry && { entry, now: now(), idleLeftMs: kept.idleAt - now() };
  };
  // The clock was set back: no lease holds longer than it was given for.
  const mend = (kept: Kept, { leaseMs }: LeaseTerms): void => {
    const { holder, until, spent } = kept.lease;
    if (holder === '' || (until <= now() + leaseMs && spent <= now())) return;
    kept.lease = { holder, until: Math.min(until, now() + leaseMs), spent: Math.min(spent, now()) };
  };
  const finalOf = ({ lease: { until, spent } }: Kept, { leaseMs, writeMs }: LeaseTerms): number =>
    spent > 0 ? until - leaseMs + writeMs : Infinity;
  const sweep = setInterval(() => {
    for (const key of entries.keys()) present(key);
    for (const [user, list] of users) {
      for (const key of list.keys()) if (!entries.has(key)) list.delete(key);
      if (list.size === 0) users.delete(user);
    }
    for (const [sid, keys] of sids) {
      for (const [key, { until }] of keys) if (until <= now()) keys.delete(key);
      if (keys.size === 0) sids.delete(sid);
    }
    for (const [name, until] of marks) if (until <= now()) marks.delete(name);
  }, sweepMs).unref();

  // Each body runs without awaiting, so nothing comes between looking and writing: the same
  // atomicity a script has in Redis.
  const store = {
    now,
    create(key: string, entry: Entry, idleMs: number): boolean {
      if (present(key) !== undefined) return false;
      entries.set(key, {
        bytes: writeEntry(entry),
        endsAt: entry.endsAt,
        idleAt: now() + idleMs,
        lease: free,
      });
      return true;
    },
    read(key: string, idleMs = 0, buried?: () => void): Found | undefined {
      const kept = live(key);
      if (kept === undefined && present(key)?.buried === true) buried?.();
      if (kept === undefined) return undefined;
      if (idleMs > 0) kept.idleAt = Math.min(now() + idleMs, kept.endsAt);
      return found(kept);
    },
    replace(key: string, entry: Entry, over: Parameters<Store['replace']>[2]): Replaced {
      const kept = live(key);
      if (kept === undefined) return present(key)?.passedOn === true ? 'passed_on' : 'gone';
      if (found(kept)?.entry.generation !== over.generation) return 'stale';
      const { holder, until } = kept.lease;
      if (
        over.holder !== undefined &&
        holder !== over.holder.toString('hex') &&
        holder !== '' &&
        until > now()
      )
        return 'held';
      kept.bytes = writeEntry(entry);
      kept.lease = free;
      return 'replaced';
    },
    lease(key: string, generation: number, holder: Buffer, terms: LeaseTerms): Lease {
      const kept = live(key);
      const seen = kept && found(kept);
      if (kept === undefined || seen === undefined) return { kind: 'gone' };
      if (seen.entry.generation !== generation) return { kind: 'superseded', found: seen };
      mend(kept, terms);
      const { until, spent } = kept.lease;
      const sinceMs = spent > 0 ? now() - spent : undefined;
      if (until > now()) return { kind: 'busy', waitMs: until - now(), sinceMs };
      if (sinceMs !== undefined && sinceMs >= terms.leewayMs) {
        const final = finalOf(kept, terms);
        return final > now()
          ? { kind: 'busy', waitMs: final - now(), sinceMs }
          : { kind: 'abandoned', agoMs: sinceMs };
      }
      kept.lease = {
        holder: holder.toString('hex'),
        until: now() + terms.leaseMs,
        spent: spent > 0 ? spent : now(),
      };
      return { kind: 'acquired', now: now() };
    },
    abandon(key: string, generation: number, terms: LeaseTerms): boolean {
      const kept = live(key);
      if (kept === undefined || found(kept)?.entry.generation !== generation) return false;
      mend(kept, terms);
      if (finalOf(kept, terms) > now()) return false;
      entries.delete(key);
      return true;
    },
    renew(key: string, holder: Buffer, leaseMs: number): boolean {
      const kept = live(key);
      if (kept?.lease.holder !== holder.toString('hex')) return false;
      kept.lease = { ...kept.lease, until: now() + leaseMs };
      return true;
    },
    release(key: string, holder: Buffer, pauseMs: number): void {
      const kept = live(key);
      if (kept?.lease.holder === holder.toString('hex'))
        kept.lease = { holder: '', until: now() + pauseMs, spent: 0 };
    },
    end(key: string): boolean {
      const was = live(key) !== undefined;
      if (present(key)?.passedOn !== true) entries.delete(key);
      return was;
    },
    passOn(key: string, forMs: number): boolean {
      if (live(key) === undefined) return false;
      const until = now() + forMs;
      entries.set(key, {
        bytes: Buffer.alloc(layout.head),
        endsAt: until,
        idleAt: until,
        lease: free,
        passedOn: true,
      });
      return true;
    },
    tombstone(key: string, forMs: number): boolean {
      const kept = live(key);
      if (kept !== undefined) {
        entries.set(key, {
          ...kept,
          idleAt: Math.min(kept.idleAt, now() + forMs),
          lease: free,
          buried: true,
        });
        return true;
      }
      const until = now() + takenMs;
      if (present(key) === undefined)
        entries.set(key, {
          bytes: Buffer.alloc(layout.head),
          endsAt: until,
          idleAt: until,
          lease: free,
          buried: true,
        });
      return false;
    },
    reclaim(key: string): Entry | undefined {
      const kept = present(key);
      if (kept?.buried !== true) return undefined;
      entries.delete(key);
      return readEntry(kept.bytes);
    },
    index(
      { user, sid }: Parameters<Store['index']>[0],
      key: string,
      facts: Buffer,
      forMs: number,
    ): void {
      const list = users.get(user) ?? new Map<string, Buffer>();
      users.set(user, list.set(key, facts));
      if (sid === undefined) return;
      const known = sids.get(sid) ?? new Map<string, { user: string; until: number }>();
      sids.set(sid, known.set(key, { user, until: now() + forMs }));
    },
    ofUser: (user: string): ReadonlyMap<string, Buffer> => new Map(users.get(user)),
    ofSid(sid: string): { user: string; key: string }[] {
      const known = [...(sids.get(sid) ?? [])].filter(([, { until }]) => until > now());
      return known.map(([key, { user }]) => ({ user, key }));
    },
    unindex(user: string, keys: readonly string[]): void {
      for (const key of keys) users.get(user)?.delete(key);
    },
    consumeOnce(name: string, forMs: number): boolean {
      if ((marks.get(name) ?? 0) > now()) return false;
      marks.set(name, now() + forMs);
      return true;
    },
    isConsumed: (name: string): boolean => (marks.get(name) ?? 0) > now(),
  };
  return { ...promised(store), close: () => clearInterval(sweep) };
};

type Promised<T> = {
  [name in keyof T]: T[name] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<R>
    : never;
};

const promised = <T extends Record<string, (...args: never[]) => unknown>>(
  functions: T,
): Promised<T> =>
  Object.fromEntries(
    Object.entries(functions).map(([name, run]) => [
      name,
      async (...args: never[]) => Promise.resolve(run(...args)),
    ]),
  ) as Promised<T>;
