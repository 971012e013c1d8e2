import type { Buckets } from '../state/buckets.ts';
import { plans } from '../state/plans.ts';
import type { Settings } from '../state/settings.ts';
import type { Operation } from './operations.ts';
import { lookRate, takeRate, type CostClass, type LimitRow, type RateVerdict } from './rate-limit.ts';

/** Counts one request of a user (or of nobody known) against the limits that hold now, or only looks when the settings say it counts as nothing. */
export function countRequest(
  { buckets, settings }: { buckets: Buckets; settings: () => Settings },
  operation: Operation,
  query: object,
  user: string | undefined,
): RateVerdict {
  const now = settings();
  const asked = { cost: costOf(operation, query, now), user };
  return counts(operation, now) ? takeRate(buckets, limitsOf(now), asked) : lookRate(buckets, limitsOf(now), asked);
}

/** The limits that hold under these settings: the plan's row, with single numbers replaced. */
function limitsOf({ plan, limits }: Settings): LimitRow {
  const row = plans[plan];
  const merged = (owner: 'tenant' | 'user') => ({
    read: { ...row[owner].read, limit: limits[owner].read ?? row[owner].read.limit },
    write: { ...row[owner].write, limit: limits[owner].write ?? row[owner].write.limit },
    filtered: { ...row[owner].filtered, limit: limits[owner].filtered ?? row[owner].filtered.limit },
  });
  return { tenant: merged('tenant'), user: merged('user') };
}

function costOf({ method, path }: Operation, query: object, { switches }: Settings): CostClass {
  if (method !== 'GET') return 'write';
  const filtered = path === '/authentication-methods' && 'type' in query && switches.filteredMeans === 'type-parameter';
  return filtered ? 'filtered' : 'read';
}

function counts({ method, path }: Operation, { limits, switches }: Settings): boolean {
  if (!limits.enforced || (method === 'PATCH' && switches.patchCost === 'none')) return false;
  return path.startsWith('/authentication-methods') || switches.limitOtherOperations;
}
