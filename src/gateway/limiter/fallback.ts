import { Failure } from '../http/errors.ts';
import type { Redis } from '../redis/client.ts';
import type { Ledger, Levels } from './ledger.ts';
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
  /** Told how many gateways share this Redis. */
  readonly onCount: (gateways: number) => void;
}

/** Runs a decision on the ledger all gateways share, or alone while Redis is gone; `alone` says which. */
export interface Fallback {
  <T>(user: string, use: (ledger: Ledger, alone: boolean) => Promise<T>): Promise<T>;
  /** The ledger all share, where decisions are made on it this moment. */
  shared(): Ledger | undefined;
}

// Nobody waits longer than this in the line of one gateway alone: coming back has to wait for them.
const LONGEST_WAIT_MS = 500;

/**
 * Never open, never a full stop: while Redis is gone each gateway spends a safe share, from what it remembers of each user.
 * When Redis is back it is told what was spent meanwhile before anything more is spent from it.
 */
export function createFallback({ redis, limits, recall, now, share, onCount }: Parts): Fallback {
  const ledger = createRedisLedger(redis, limits, () => tell(recall.everybody()), onCount);
  let alone: Ledger | undefined;
  let introduced = new Set<string>();
  let spent = new Set<string>();
  let underWay = 0;
  let drained: (() => void) | undefined;
  let returning = false;
  let handover: Promise<void> | undefined;

  async function tell(users: [string, Levels][]): Promise<void> {
    // Nobody to speak of: an empty name still makes the tenant's bucket start from nothing.
    if (users.length === 0) await ledger.remember('', { read: Infinity, write: Infinity, filtered: Infinity });
    for (let from = 0; from < users.length; from += 200) {
      await Promise.all(users.slice(from, from + 200).map(([user, levels]) => ledger.remember(user, levels)));
    }
  }

  async function onMyOwn<T>(user: string, use: (ledger: Ledger, alone: boolean) => Promise<T>): Promise<T> {
    if (!alone) {
      const own = createMemoryLedger(() => shareOf(limits, share()), now);
      alone = { ...own, ask: (ask) => own.ask({ ...ask, maxWaitMs: Math.min(ask.maxWaitMs, LONGEST_WAIT_MS) }) };
      introduced = new Set();
    }
    const mine = alone;
    underWay += 1;
    try {
      const known = introduced.has(user) ? undefined : recall.levels(user);
      introduced.add(user);
      if (known) await mine.remember(user, known);
      return await use(mine, true);
    } finally {
      spent.add(user);
      underWay -= 1;
      if (underWay === 0) drained?.();
    }
  }

  async function comeBack(): Promise<void> {
    returning = true;
    try {
      spent = new Set();
      await tell(recall.everybody());
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
    await tell(recall.everybody().filter(([user]) => spent.has(user)));
    alone = undefined;
  }

  const decide = async <T>(user: string, use: (ledger: Ledger, alone: boolean) => Promise<T>): Promise<T> => {
    if (alone && redis.ready() && !returning) void comeBack();
    if (handover) await handover.catch(() => undefined);
    if (alone) return onMyOwn(user, use);
    try {
      return await use(ledger, false);
    } catch (error) {
      if (!(error instanceof Failure && error.code === 'store_unavailable')) throw error;
      return onMyOwn(user, use);
    }
  };
  return Object.assign(decide, { shared: () => (alone || handover ? undefined : ledger) });
}
