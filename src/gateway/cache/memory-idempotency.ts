import { leaseMs, mostChanges, unseenMs } from './idempotency-store.ts';
import type { IdempotencyStore } from './idempotency-store.ts';

interface Known {
  readonly number: number;
  readonly fingerprint: Buffer;
  readonly until: number;
  readonly sealed: Buffer | undefined;
  leasedUntil: number;
}

interface User {
  readonly changes: Map<string, Known>;
  /** How many were begun, by area. */
  readonly begun: Map<string, number>;
}

const mostUsers = 20_000;

/** Remembers changes in this process, for one gateway without Redis: the same promises as in Redis. The clock can be handed in. */
export const createMemoryIdempotency = (now: () => number = Date.now): IdempotencyStore => {
  const users = new Map<string, User>();

  const enter = (key: string): User => {
    const user = users.get(key) ?? { changes: new Map(), begun: new Map() };
    // Last used goes last: when there are too many the one unused for longest makes way.
    users.delete(key);
    users.set(key, user);
    const [oldest] = users.keys();
    if (users.size > mostUsers && oldest !== undefined) users.delete(oldest);
    return user;
  };

  return {
    claim({ user, area, name, explicit, fingerprint }) {
      const { changes, begun } = enter(user);
      const known = changes.get(name);
      const count = begun.get(area) ?? 0;
      if (known !== undefined && known.until > now()) {
        const sending = known.sealed === undefined && known.leasedUntil > now();
        if (explicit || sending || known.number === count) {
          if (!known.fingerprint.equals(fingerprint)) return Promise.resolve({ kind: 'other' });
          if (known.sealed !== undefined)
            return Promise.resolve({ kind: 'done', sealed: known.sealed });
          return Promise.resolve({ kind: sending ? 'busy' : 'unknown' });
        }
      }
      for (const [each, { until }] of changes) if (until <= now()) changes.delete(each);
      if (changes.size >= mostChanges) return Promise.resolve({ kind: 'full' });
      const number = count + 1;
      begun.set(area, number);
      const until = now() + (explicit ? unseenMs.named : unseenMs.unnamed);
      changes.set(name, {
        number,
        fingerprint,
        until,
        sealed: undefined,
        leasedUntil: now() + leaseMs,
      });
      return Promise.resolve({ kind: 'claimed', number });
    },
    hold({ user, name }, number) {
      const known = users.get(user)?.changes.get(name);
      if (known?.number === number) known.leasedUntil = now() + leaseMs;
      return Promise.resolve();
    },
    settle({ user, name }, number, end) {
      const { changes } = enter(user);
      const known = changes.get(name);
      if (known?.number !== number) return Promise.resolve();
      if (end.kind === 'forget') changes.delete(name);
      else {
        const sealed = end.kind === 'done' ? end.sealed : undefined;
        changes.set(name, { ...known, until: now() + end.rememberMs, sealed, leasedUntil: 0 });
      }
      return Promise.resolve();
    },
  };
};
