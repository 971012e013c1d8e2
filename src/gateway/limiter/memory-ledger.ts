import { costClasses, type CostClass } from '../../../config/plans.ts';
import type { Answer, Ask, Ledger, Lesson, Levels, Ticket } from './ledger.ts';
import { perClass, type Limits } from './limits.ts';

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

/** The ledger of one process, by the rules of budget.lua on the given clock (ms, never going back). `limits` is read at every call: a share may change. */
export function createMemoryLedger(limits: () => Limits, now: () => number): Ledger {
  const users = new Map<string, Record<CostClass, UserState>>();
  const tenant = perClass((): TenantState => ({ level: 1, at: now(), virtual: 0, factor: 1, cut: -Infinity }));
  const lines = perClass((): Place[] => []);
  let sweepAt = USERS_BEFORE_SWEEP;
  let sequence = 0;

  function tenantOf(cost: CostClass): { state: TenantState; rate: number } {
    const { tenant: bucket } = limits()[cost];
    const state = tenant[cost];
    const before = state.factor;
    state.factor = Math.min(1, before + Math.max(0, now() - state.at) * RECOVERY_PER_MS);
    refill(state, (bucket.perMs * (before + state.factor)) / 2, bucket.burst);
    return { state, rate: bucket.perMs * state.factor };
  }

  function userOf(user: string): Record<CostClass, UserState> {
    const known = users.get(user) ?? perClass((cost): UserState => ({ level: limits()[cost].user.burst, at: now(), finish: 0 }));
    if (!users.has(user) && users.size >= sweepAt) sweep();
    users.set(user, known);
    for (const cost of costClasses) refill(known[cost], limits()[cost].user.perMs, limits()[cost].user.burst);
    return known;
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
      const full = costClasses.every((cost) => {
        const { perMs, burst } = limits()[cost].user;
        return states[cost].level + (now() - states[cost].at) * perMs >= burst;
      });
      if (full) users.delete(user);
    }
    sweepAt = Math.max(USERS_BEFORE_SWEEP, users.size * 2);
  }

  function waitFor(state: State, perMs: number, need: number): number {
    const wait = Math.max(0, need - state.level) / perMs;
    return (wait < 0.01 ? 0 : wait) + Math.max(0, state.at - now());
  }

  function levels(user: string): Levels {
    const states = userOf(user);
    return perClass((cost) => {
      const { level, at } = states[cost];
      return at > now() ? Math.min(level, 1) - (at - now()) * limits()[cost].user.perMs : level;
    });
  }

  function stepOut(cost: CostClass, id: string): void {
    const index = lines[cost].findIndex((place) => place.id === id);
    if (index >= 0) lines[cost].splice(index, 1);
  }

  function returnUserToken(user: string, cost: CostClass): void {
    const state = userOf(user)[cost];
    state.level = Math.min(limits()[cost].user.burst, state.level + 1);
    state.finish = Math.max(0, state.finish - 1);
  }

  // Where in the line this request stands, or would, and how long the tenant's bucket has it wait there.
  function standing(cost: CostClass, score: number, id?: string): { known: number; ahead: number; waitMs: number } {
    const { state, rate } = tenantOf(cost);
    const line = (lines[cost] = lines[cost].filter((each) => each.lapsesAt > now() || each.id === id));
    const known = line.findIndex((each) => each.id === id);
    const ahead = known >= 0 ? known : count(line, score);
    return { known, ahead, waitMs: waitFor(state, rate, ahead + 1) };
  }

  function place(ticket: Ticket): Answer {
    const { id, start, leaveAt } = ticket;
    const { user, cost, offset } = ticket.ask;
    const { state } = tenantOf(cost);
    const { known, ahead, waitMs } = standing(cost, start + offset, id);
    if (waitMs === 0) {
      stepOut(cost, id);
      state.level -= 1;
      state.virtual = Math.max(state.virtual, lines[cost].length === 0 ? start + 1 : start);
      return { kind: 'taken', levels: levels(user), start };
    }
    if (now() + waitMs > leaveAt) {
      stepOut(cost, id);
      returnUserToken(user, cost);
      return { kind: 'refused', by: 'tenant', retryMs: waitMs, levels: levels(user) };
    }
    if (known < 0) lines[cost].splice(ahead, 0, { id, score: start + offset, lapsesAt: leaveAt + 250 });
    return { kind: 'wait', waitMs, ticket, levels: levels(user) };
  }

  function ask(asked: Ask): Answer {
    const { user, cost, offset, maxWaitMs } = asked;
    const bucket = limits()[cost].user;
    const state = userOf(user)[cost];
    const start = Math.max(tenantOf(cost).state.virtual, state.finish);
    const wait = waitFor(state, bucket.perMs, 1);
    if (wait > maxWaitMs) {
      // Both may be empty: what is told is the later of the two.
      const retryMs = Math.max(wait, standing(cost, start + offset).waitMs);
      return { kind: 'refused', by: 'user', retryMs, levels: levels(user) };
    }
    state.level -= 1;
    state.finish = start + 1;
    const ticket: Ticket = { ask: asked, id: String(++sequence), start, leaveAt: now() + maxWaitMs };
    if (wait > 0) return { kind: 'wait', waitMs: wait, ticket, levels: levels(user) };
    return place(ticket);
  }

  function learn(lesson: Lesson): void {
    const { cost } = lesson;
    if (lesson.kind === 'user-limited' || lesson.kind === 'user-low') {
      const state = userOf(lesson.user)[cost];
      if (lesson.kind === 'user-low') {
        if (state.level >= lesson.remaining + 1) state.level = lesson.remaining;
        return;
      }
      state.level = Math.min(state.level, 1);
      state.at = Math.max(state.at, now() + Math.min(lesson.retryMs, 120_000));
      return;
    }
    const { state } = tenantOf(cost);
    const limited = lesson.kind === 'tenant-limited';
    state.level = Math.min(state.level, limited ? 0 : lesson.remaining - limits()[cost].reserve / 2);
    if (limited) state.at = Math.max(state.at, now() + Math.min(lesson.retryMs, 60_000));
    if (now() - state.cut > (limited ? 500 : 250)) {
      state.factor = Math.max(LOWEST, state.factor * (limited ? 0.7 : 0.9));
      state.cut = now();
    }
  }

  function giveBack(user: string, cost: CostClass): void {
    returnUserToken(user, cost);
    const { state } = tenantOf(cost);
    state.level = Math.min(limits()[cost].tenant.burst, state.level + 1);
  }

  const soon = <Args extends unknown[], Result>(decide: (...args: Args) => Result) => {
    return (...args: Args): Promise<Result> => Promise.resolve(decide(...args));
  };
  return {
    ask: soon(ask),
    claim: soon(place),
    leave: soon((ticket: Ticket) => {
      stepOut(ticket.ask.cost, ticket.id);
      returnUserToken(ticket.ask.user, ticket.ask.cost);
    }),
    giveBack: soon(giveBack),
    learn: soon(learn),
    remember: soon((user: string, known: Levels) => {
      const states = userOf(user);
      for (const cost of costClasses) states[cost].level = Math.min(states[cost].level, known[cost]);
    }),
    peek: soon(levels),
  };
}

// Where a newcomer steps in: behind all who are due no later.
function count(line: readonly Place[], score: number): number {
  let low = 0;
  let high = line.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((line[middle]?.score ?? Infinity) <= score) low = middle + 1;
    else high = middle;
  }
  return low;
}
