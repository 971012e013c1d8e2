import type { BucketName } from '../../../config/plans.ts';
import { Failure } from '../http/errors.ts';
import type { Redis } from '../redis/client.ts';
import { shareOf } from './limits.ts';
import type { Limits } from './limits.ts';
import { createMemoryLimiterStore } from './memory-store.ts';
import { createRedisLimiterStore } from './redis-store.ts';
import type { SeenLevel, Snapshot } from './snapshot.ts';
import type { LimiterStore } from './store.ts';

interface Parts {
  readonly redis: Redis;
  readonly tenant: string;
  readonly limits: Limits;
  readonly snapshot: Snapshot;
  readonly now: () => number;
  /** The part of the limits this gateway may spend by itself. */
  readonly share: () => number;
  /** Called with how many instances share this tenant. */
  readonly onCount: (instances: number) => void;
}

/** What is done with a store; `degraded` says that it is this gateway's own. */
type Use<T> = (store: LimiterStore, degraded: boolean) => Promise<T>;

/** Runs a decision about a user's bucket on the store all gateways share, or on one of its own while Redis is gone. */
export interface SharedOrDegraded {
  <T>(user: string, bucket: BucketName | undefined, use: Use<T>): Promise<T>;
  /** Returns the store all share, where decisions are made on it this moment. */
  shared(): LimiterStore | undefined;
}

// Nobody waits longer than this in the queue of one gateway by itself: coming back has to wait for them.
const LONGEST_WAIT_MS = 500;

/**
 * Never open, never a full stop: while Redis is gone each gateway spends a safe share, from what it
 * remembers of each user. When Redis is back it is told what was spent meanwhile before anything
 * more is spent from it.
 */
export function createSharedOrDegraded(parts: Parts): SharedOrDegraded {
  const { redis, tenant, limits, snapshot, now, share, onCount } = parts;
  const shared = createRedisLimiterStore({
    redis,
    tenant,
    limits,
    onForgotten: (bucket) =>
      seedAll(
        snapshot.all().filter((each) => each.bucket === bucket),
        bucket,
      ),
    onCount,
  });
  let own: LimiterStore | undefined;
  let introduced = new Set<string>();
  let spent = new Set<string>();
  let underWay = 0;
  let drained: (() => void) | undefined;
  let returning = false;
  let handover: Promise<void> | undefined;

  async function seedAll(seen: readonly SeenLevel[], bucket?: BucketName): Promise<void> {
    // Nobody to speak of: an empty name still makes the tenant's bucket start from nothing.
    if (seen.length === 0 && bucket !== undefined) await shared.seed('', bucket, Infinity);
    for (let from = 0; from < seen.length; from += 200) {
      const some = seen.slice(from, from + 200);
      await Promise.all(some.map((each) => shared.seed(each.user, each.bucket, each.level)));
    }
  }

  async function degraded<T>(
    user: string,
    bucket: BucketName | undefined,
    use: Use<T>,
  ): Promise<T> {
    if (!own) {
      const alone = createMemoryLimiterStore(shareOf(limits, share()), now);
      const shorter = (waitMs: number) => Math.min(waitMs, LONGEST_WAIT_MS);
      own = {
        ...alone,
        ask: (ask) => alone.ask({ ...ask, maxWaitMs: shorter(ask.maxWaitMs) }),
      };
      introduced = new Set();
    }
    const mine = own;
    underWay += 1;
    try {
      if (bucket !== undefined) await introduce(mine, user, bucket);
      return await use(mine, true);
    } finally {
      spent.add(user);
      underWay -= 1;
      if (underWay === 0) drained?.();
    }
  }

  async function introduce(mine: LimiterStore, user: string, bucket: BucketName): Promise<void> {
    const name = `${bucket} ${user}`;
    const known = introduced.has(name) ? undefined : snapshot.level(user, bucket);
    introduced.add(name);
    if (known !== undefined) await mine.seed(user, bucket, known);
  }

  async function comeBack(): Promise<void> {
    returning = true;
    try {
      spent = new Set();
      await seedAll(snapshot.all());
      // Redis answers: from here new decisions wait, those under way finish, and what was spent during the telling is told too.
      handover = handOver();
      await handover;
    } catch {
      // Not back after all: the next decision tries again.
    } finally {
      handover = undefined;
      returning = false;
    }
  }

  async function handOver(): Promise<void> {
    if (underWay > 0) await new Promise<void>((resolve) => (drained = resolve));
    drained = undefined;
    await seedAll(snapshot.all().filter(({ user }) => spent.has(user)));
    own = undefined;
  }

  const decide = async <T>(
    user: string,
    bucket: BucketName | undefined,
    use: Use<T>,
  ): Promise<T> => {
    if (own && redis.ready() && !returning) void comeBack();
    if (handover) await handover.catch(() => undefined);
    if (own) return degraded(user, bucket, use);
    try {
      return await use(shared, false);
    } catch (error) {
      if (!(error instanceof Failure && error.code === 'store_unavailable')) throw error;
      return degraded(user, bucket, use);
    }
  };
  return Object.assign(decide, { shared: () => (own || handover ? undefined : shared) });
}
