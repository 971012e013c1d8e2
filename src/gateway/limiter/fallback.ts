import { Failure } from '../http/errors.ts';
import type { Redis } from '../redis/client.ts';
import type { Ledger } from './ledger.ts';
import { shareOf } from './limits.ts';
import type { Limits } from './limits.ts';
import { createMemoryLedger } from './memory-ledger.ts';
import type { Recall } from './recall.ts';
import { createRedisLedger } from './redis-ledger.ts';

interface Parts {
  readonly redis: Redis;
  readonly limits: Limits;
  readonly recall: Recall;
  readonly now: () => number;
  /** The part of the limits this gateway may spend alone. */
  readonly share: () => number;
}

/** Runs a decision on the ledger all gateways share, or alone while Redis is gone; `alone` says which. */
export type Fallback = <T>(user: string, use: (ledger: Ledger, alone: boolean) => Promise<T>) => Promise<T>;

/**
 * Never open, never a full stop: while Redis is gone each gateway spends a safe share, from what it remembers of each user.
 * When Redis is back it is told what was spent meanwhile before anything more is spent from it.
 */
export function createFallback({ redis, limits, recall, now, share }: Parts): Fallback {
  const ledger = createRedisLedger(redis, limits, tellAll);
  let alone: Ledger | undefined;
  let introduced = new Set<string>();
  let returning: Promise<void> | undefined;

  async function tellAll(): Promise<void> {
    const everybody = recall.everybody();
    // Nobody to speak of: an empty name still makes the tenant's bucket start from nothing.
    if (everybody.length === 0) await ledger.remember('', { read: Infinity, write: Infinity, filtered: Infinity });
    for (let from = 0; from < everybody.length; from += 200) {
      await Promise.all(everybody.slice(from, from + 200).map(([user, levels]) => ledger.remember(user, levels)));
    }
  }

  async function onMyOwn<T>(user: string, use: (ledger: Ledger, alone: boolean) => Promise<T>): Promise<T> {
    if (!alone) {
      alone = createMemoryLedger(() => shareOf(limits, share()), now);
      introduced = new Set();
    }
    const known = introduced.has(user) ? undefined : recall.levels(user);
    introduced.add(user);
    if (known) await alone.remember(user, known);
    return use(alone, true);
  }

  function comeBack(): void {
    returning ??= tellAll()
      .then(() => {
        alone = undefined;
      })
      // Not back after all: the next decision tries again.
      .catch(() => undefined)
      .finally(() => {
        returning = undefined;
      });
  }

  return async (user, use) => {
    if (alone) {
      if (redis.ready()) comeBack();
      return onMyOwn(user, use);
    }
    try {
      return await use(ledger, false);
    } catch (error) {
      if (!(error instanceof Failure && error.code === 'store_unavailable')) throw error;
      return onMyOwn(user, use);
    }
  };
}
