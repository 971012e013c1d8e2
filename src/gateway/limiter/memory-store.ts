import type { BucketName } from '../../../config/plans.ts';
import { perBucket, type Limits } from './limits.ts';
import type { Ask, Decision, LimiterStore, QueueTicket, UpstreamSignal } from './store.ts';

interface State {
  level: number;
  at: number;
}
interface UserState extends State {
  finish: number;
}
interface TenantState extends State {
  virtual: number;
  factor: number;
  cut: number;
}
interface Place {
  id: string;
  score: number;
  lapsesAt: number;
}

const RECOVERY_PER_MS = 0.05 / 1_000;
const LOWEST = 0.05;
const USERS_BEFORE_SWEEP = 10_000;

/** The store of one process, by the rules of store.lua on the given clock (ms, never going back). */
export function createMemoryLimiterStore(limits: Limits, now: () => number): LimiterStore {
  const users = new Map<string, Map<BucketName, UserState>>();
  const tenant = perBucket((): TenantState => ({
    level: 1,
    at: now(),
    virtual: 0,
    factor: 1,
    cut: -Infinity,
  }));
  const queues = perBucket((): Place[] => []);
  let sweepAt = USERS_BEFORE_SWEEP;
  let sequence = 0;

  function tenantOf(bucket: BucketName): { state: TenantState; rate: number } {
    const { perMs, burst } = limits[bucket].tenant;
    const state = tenant[bucket];
    const before = state.factor;
    state.factor = Math.min(1, before + Math.max(0, now() - state.at) * RECOVERY_PER_MS);
    refill(state, (perMs * (before + state.factor)) / 2, burst);
    return { state, rate: perMs * state.factor };
  }

  function userOf(user: string, bucket: BucketName): UserState {
    const { perMs, burst } = limits[bucket].user;
    if (!users.has(user) && users.size >= sweepAt) sweep();
    const states = users.get(user) ?? new Map<BucketName, UserState>();
    const state = states.get(bucket) ?? { level: burst, at: now(), finish: 0 };
    users.set(user, states.set(bucket, state));
    refill(state, perMs, burst);
    return state;
  }

  function refill(state: State, perMs: number, burst: number): void {
    const time = now();
    if (time <= state.at) return;
    state.level = Math.min(burst, state.level + (time - state.at) * perMs);
    state.at = time;
  }

  // A full bucket says nothing an unknown user's would not.
  function sweep(): void {
    for (const [user, states] of users) {
      const full = [...states].every(([bucket, { level, at }]) => {
        const { perMs, burst } = limits[bucket].user;
        return level + (now() - at) * perMs >= burst;
      });
      if (full) users.delete(user);
    }
    sweepAt = Math.max(USERS_BEFORE_SWEEP, users.size * 2);
  }

  function waitFor(state: State, perMs: number, need: number): number {
    const wait = Math.max(0, need - state.level) / perMs;
    return (wait < 0.01 ? 0 : wait) + Math.max(0, state.at - now());
  }

  function levelOf({ level, at }: State, bucket: BucketName): number {
    return at > now() ? Math.min(level, 1) - (at - now()) * limits[bucket].user.perMs : level;
  }

  const levelFor = (user: string, bucket: BucketName): number =>
    levelOf(userOf(user, bucket), bucket);

  function stepOut(bucket: BucketName, id: string): void {
    const index = queues[bucket].findIndex((place) => place.id === id);
    if (index >= 0) queues[bucket].splice(index, 1);
  }

  function returnUserToken(user: string, bucket: BucketName): void {
    const state = userOf(user, bucket);
    state.level = Math.min(limits[bucket].user.burst, state.level + 1);
    state.finish = Math.max(0, state.finish - 1);
  }

  // Where in the queue this request stands, or would, and how long the tenant's bucket has it wait there.
  function placeOf(
    bucket: BucketName,
    score: number,
    id?: string,
  ): { known: number; ahead: number; waitMs: number } {
    const { state, rate } = tenantOf(bucket);
    const queue = queues[bucket].filter((each) => each.lapsesAt > now() || each.id === id);
    queues[bucket] = queue;
    const known = queue.findIndex((each) => each.id === id);
    const ahead = known >= 0 ? known : dueBefore(queue, score);
    return { known, ahead, waitMs: waitFor(state, rate, ahead + 1) };
  }

  function claim(ticket: QueueTicket): Decision {
    const { id, start, leaveAt } = ticket;
    const { user, bucket, offset } = ticket.ask;
    const { state } = tenantOf(bucket);
    const { known, ahead, waitMs } = placeOf(bucket, start + offset, id);
    if (waitMs === 0) {
      stepOut(bucket, id);
      state.level -= 1;
      state.virtual = Math.max(state.virtual, queues[bucket].length === 0 ? start + 1 : start);
      return { kind: 'taken', level: levelFor(user, bucket) };
    }
    if (now() + waitMs > leaveAt) {
      stepOut(bucket, id);
      returnUserToken(user, bucket);
      return { kind: 'refused', by: 'tenant', retryMs: waitMs, level: levelFor(user, bucket) };
    }
    if (known < 0) {
      queues[bucket].splice(ahead, 0, { id, score: start + offset, lapsesAt: leaveAt + 250 });
    }
    return { kind: 'wait', waitMs, ticket, level: levelFor(user, bucket) };
  }

  function ask(asked: Ask): Decision {
    const { user, bucket, offset, maxWaitMs } = asked;
    const state = userOf(user, bucket);
    const start = Math.max(tenantOf(bucket).state.virtual, state.finish);
    const wait = waitFor(state, limits[bucket].user.perMs, 1);
    if (wait > maxWaitMs) {
      // Both may be empty: what is told is the later of the two.
      const retryMs = Math.max(wait, placeOf(bucket, start + offset).waitMs);
      return { kind: 'refused', by: 'user', retryMs, level: levelFor(user, bucket) };
    }
    state.level -= 1;
    state.finish = start + 1;
    const id = String(++sequence);
    const ticket: QueueTicket = { ask: asked, id, start, leaveAt: now() + maxWaitMs };
    if (wait > 0) return { kind: 'wait', waitMs: wait, ticket, level: levelFor(user, bucket) };
    return claim(ticket);
  }

  function adjustUser(signal: Extract<UpstreamSignal, { user: string }>): void {
    const { user, bucket } = signal;
    const state = userOf(user, bucket);
    if (signal.kind === 'user-low') {
      if (state.level >= signal.remaining + 1) state.level = signal.remaining;
    } else if (signal.kind === 'user-late') {
      state.level = Math.min(state.level, limits[bucket].user.burst - signal.underWay);
    } else {
      state.level = Math.min(state.level, 1);
      state.at = Math.max(state.at, now() + Math.min(signal.retryMs, 120_000));
    }
  }

  function adjust(signal: UpstreamSignal): void {
    if ('user' in signal) {
      adjustUser(signal);
      return;
    }
    const { state } = tenantOf(signal.bucket);
    const limited = signal.kind === 'tenant-limited';
    const left = limited ? 0 : signal.remaining - limits[signal.bucket].reserve / 2;
    state.level = Math.min(state.level, left);
    if (limited) state.at = Math.max(state.at, now() + Math.min(signal.retryMs, 60_000));
    if (now() - state.cut > (limited ? 500 : 250)) {
      state.factor = Math.max(LOWEST, state.factor * (limited ? 0.7 : 0.9));
      state.cut = now();
    }
  }

  function refund(user: string, bucket: BucketName): void {
    returnUserToken(user, bucket);
    const { state } = tenantOf(bucket);
    state.level = Math.min(limits[bucket].tenant.burst, state.level + 1);
  }

  const soon = <Args extends unknown[], Result>(decide: (...args: Args) => Result) => {
    return (...args: Args): Promise<Result> => Promise.resolve(decide(...args));
  };
  return {
    ask: soon(ask),
    claim: soon(claim),
    cancel: soon(({ ask: { user, bucket }, id }: QueueTicket) => {
      stepOut(bucket, id);
      returnUserToken(user, bucket);
    }),
    refund: soon(refund),
    adjust: soon(adjust),
    seed: soon((user: string, bucket: BucketName, level: number) => {
      const state = userOf(user, bucket);
      state.level = Math.min(state.level, level);
    }),
    peek: soon((user: string) => perBucket((bucket) => levelFor(user, bucket))),
  };
}

// Where a newcomer steps in: behind all who are due no later.
function dueBefore(queue: readonly Place[], score: number): number {
  let low = 0;
  let high = queue.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((queue[middle]?.score ?? Infinity) <= score) low = middle + 1;
    else high = middle;
  }
  return low;
}
