import type { BucketName } from '../../../config/plans.ts';
import type { Limits } from './limits.ts';

/** What is remembered of one bucket of one user. */
export interface SeenLevel {
  readonly user: string;
  readonly bucket: BucketName;
  readonly level: number;
}

/** A gateway's memory of its users' buckets. */
export interface Snapshot {
  note(user: string, bucket: BucketName, level: number): void;
  /** One request was let in without the shared count. */
  spent(user: string, bucket: BucketName): void;
  /** Returns what the user should have now, as far as this gateway saw; undefined for a bucket it does not remember. */
  level(user: string, bucket: BucketName): number | undefined;
  /** Returns every bucket that is not full again. */
  all(): SeenLevel[];
}

/**
 * What this gateway last saw of each user's buckets, refilled since: kept for the time without
 * Redis, and told to it when it is back. Holds `bound` users at most.
 */
export function createSnapshot(limits: Limits, now: () => number, bound: number): Snapshot {
  const users = new Map<string, Map<BucketName, { level: number; at: number }>>();

  function level(user: string, bucket: BucketName): number | undefined {
    const seen = users.get(user)?.get(bucket);
    if (!seen) return undefined;
    const { perMs, burst } = limits[bucket].user;
    return Math.min(burst, seen.level + (now() - seen.at) * perMs);
  }

  function note(user: string, bucket: BucketName, seen: number): void {
    const known = users.get(user) ?? new Map<BucketName, { level: number; at: number }>();
    // The one not seen for longest goes first: it is the likeliest to be full again.
    users.delete(user);
    users.set(user, known.set(bucket, { level: seen, at: now() }));
    for (const [oldest] of users) {
      if (users.size <= bound) break;
      users.delete(oldest);
    }
  }

  return {
    note,
    spent(user, bucket) {
      note(user, bucket, (level(user, bucket) ?? limits[bucket].user.burst) - 1);
    },
    level,
    all() {
      return [...users].flatMap(([user, buckets]) =>
        [...buckets.keys()].flatMap((bucket) => {
          const known = level(user, bucket);
          const full = known === undefined || known >= limits[bucket].user.burst;
          return full ? [] : [{ user, bucket, level: known }];
        }),
      );
    },
  };
}
