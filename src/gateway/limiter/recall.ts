import type { CostClass } from '../../../config/plans.ts';
import { costClasses } from '../../../config/plans.ts';
import type { Levels } from './ledger.ts';
import type { Limits } from './limits.ts';

/** A gateway's memory of its users' buckets. */
export interface Recall {
  note(user: string, levels: Levels): void;
  /** One request was let in without the shared count. */
  spent(user: string, cost: CostClass): void;
  /** What the user should have now, as far as this gateway saw; undefined for one it does not remember. */
  levels(user: string): Levels | undefined;
  /** Everybody whose buckets are not full again. */
  everybody(): [string, Levels][];
}

/** What this gateway last saw of each user's buckets, refilled since: kept for the time without Redis, and told to it when it is back. Bounded. */
export function createRecall(limits: Limits, now: () => number, bound: number): Recall {
  const users = new Map<string, { levels: Levels; at: number }>();

  function levels(user: string): Levels | undefined {
    const seen = users.get(user);
    if (!seen) return undefined;
    const since = now() - seen.at;
    const of = (cost: CostClass) => Math.min(limits[cost].user.burst, seen.levels[cost] + since * limits[cost].user.perMs);
    return { read: of('read'), write: of('write'), filtered: of('filtered') };
  }

  function note(user: string, seen: Levels): void {
    // The one not seen for longest goes first: it is the likeliest to be full again.
    users.delete(user);
    users.set(user, { levels: seen, at: now() });
    for (const [oldest] of users) {
      if (users.size <= bound) break;
      users.delete(oldest);
    }
  }

  return {
    note,
    spent(user, cost) {
      const known = levels(user);
      const { read, write, filtered } = limits;
      const before = known ?? { read: read.user.burst, write: write.user.burst, filtered: filtered.user.burst };
      note(user, { ...before, [cost]: before[cost] - 1 });
    },
    levels,
    everybody() {
      const found: [string, Levels][] = [];
      for (const user of users.keys()) {
        const known = levels(user);
        if (known && costClasses.some((cost) => known[cost] < limits[cost].user.burst)) found.push([user, known]);
      }
      return found;
    },
  };
}
