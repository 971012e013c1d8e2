import { readEntry, writeEntry, type Found, type Lease, type Store } from './store.ts';

interface Kept {
  bytes: Buffer;
  endsAt: number;
  idleAt: number;
  lease: { holder: string; until: number; spent: number };
}

const free = { holder: '', until: 0, spent: 0 };
const sweepMs = 60_000;

/** Keeps session entries in this process, for one gateway without Redis; the same promises as the Redis store, the clock can be handed in. */
export const createMemoryStore = (now: () => number = Date.now): Store => {
  const entries = new Map<string, Kept>();
  const users = new Map<string, Map<string, Buffer>>();
  const sids = new Map<string, { keys: Set<string>; until: number }>();
  const marks = new Map<string, number>();

  const live = (key: string): Kept | undefined => {
    const kept = entries.get(key);
    if (kept === undefined) return undefined;
    if (kept.endsAt > now() && kept.idleAt > now()) return kept;
    entries.delete(key);
    return undefined;
  };
  const found = (kept: Kept): Found | undefined => {
    const entry = readEntry(kept.bytes);
    return entry && { entry, now: now(), idleLeftMs: kept.idleAt - now() };
  };
  const sweep = setInterval(() => {
    for (const key of entries.keys()) live(key);
    for (const [user, list] of users) {
      for (const key of list.keys()) if (!entries.has(key)) list.delete(key);
      if (list.size === 0) users.delete(user);
    }
    for (const [sid, { until }] of sids) if (until <= now()) sids.delete(sid);
    for (const [name, until] of marks) if (until <= now()) marks.delete(name);
  }, sweepMs).unref();

  // Each body runs without awaiting, so nothing comes between looking and writing: the same atomicity a script has in Redis.
  const store = {
    now,
    create(key: string, entry: Parameters<Store['create']>[1], idleMs: number): void {
      if (live(key) === undefined)
        entries.set(key, { bytes: writeEntry(entry), endsAt: entry.endsAt, idleAt: now() + idleMs, lease: free });
    },
    read(key: string, idleMs = 0): Found | undefined {
      const kept = live(key);
      if (kept === undefined) return undefined;
      if (idleMs > 0) kept.idleAt = Math.min(now() + idleMs, kept.endsAt);
      return found(kept);
    },
    replace(key: string, entry: Parameters<Store['replace']>[1], over: Parameters<Store['replace']>[2]): 'replaced' | 'stale' | 'gone' {
      const kept = live(key);
      if (kept === undefined) return 'gone';
      if (found(kept)?.entry.generation !== over.generation) return 'stale';
      if (over.holder !== undefined && kept.lease.holder !== over.holder.toString('hex')) return 'stale';
      kept.bytes = writeEntry(entry);
      kept.lease = free;
      return 'replaced';
    },
    lease(key: string, generation: number, holder: Buffer, leaseMs: number, leewayMs: number): Lease {
      const kept = live(key);
      const seen = kept && found(kept);
      if (kept === undefined || seen === undefined) return { kind: 'gone' };
      if (seen.entry.generation !== generation) return { kind: 'newer', found: seen };
      const { until, spent } = kept.lease;
      if (until > now()) return { kind: 'busy', waitMs: until - now() };
      if (spent > 0 && now() - spent >= leewayMs) return { kind: 'lost', agoMs: now() - spent };
      kept.lease = { holder: holder.toString('hex'), until: now() + leaseMs, spent: spent > 0 ? spent : now() };
      return { kind: 'yours', now: now() };
    },
    renew(key: string, holder: Buffer, leaseMs: number): boolean {
      const kept = live(key);
      if (kept?.lease.holder !== holder.toString('hex')) return false;
      kept.lease = { ...kept.lease, until: now() + leaseMs };
      return true;
    },
    settle(key: string, holder: Buffer, pauseMs: number): void {
      const kept = live(key);
      if (kept?.lease.holder === holder.toString('hex')) kept.lease = { holder: '', until: now() + pauseMs, spent: 0 };
    },
    end(key: string): boolean {
      const was = live(key) !== undefined;
      entries.delete(key);
      return was;
    },
    enlist({ user, sid }: Parameters<Store['enlist']>[0], key: string, facts: Buffer, forMs: number): void {
      const list = users.get(user) ?? new Map<string, Buffer>();
      users.set(user, list.set(key, facts));
      if (sid === undefined) return;
      const known = sids.get(sid)?.keys ?? new Set<string>();
      sids.set(sid, { keys: known.add(key), until: now() + forMs });
    },
    ofUser: (user: string): ReadonlyMap<string, Buffer> => new Map(users.get(user)),
    ofSid(sid: string): readonly string[] {
      const known = sids.get(sid);
      return known !== undefined && known.until > now() ? [...known.keys] : [];
    },
    delist(user: string, keys: readonly string[]): void {
      for (const key of keys) users.get(user)?.delete(key);
    },
    once(name: string, forMs: number): boolean {
      if ((marks.get(name) ?? 0) > now()) return false;
      marks.set(name, now() + forMs);
      return true;
    },
  };
  return { ...promised(store), close: () => clearInterval(sweep) };
};

type Promised<T> = { [name in keyof T]: T[name] extends (...args: infer A) => infer R ? (...args: A) => Promise<R> : never };

const promised = <T extends Record<string, (...args: never[]) => unknown>>(functions: T): Promised<T> =>
  Object.fromEntries(
    Object.entries(functions).map(([name, run]) => [name, async (...args: never[]) => Promise.resolve(run(...args))]),
  ) as Promised<T>;
