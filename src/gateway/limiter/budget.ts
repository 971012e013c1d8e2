import { planOf } from '../../../config/plans.ts';
import type { CostClass, PlanName, PlanOverrides } from '../../../config/plans.ts';
import type { Redis } from '../redis/client.ts';
import { readLesson } from './feedback.ts';
import type { UpstreamAnswer } from './feedback.ts';
import { countGateways } from './gateways.ts';
import type { Ask, Ledger } from './ledger.ts';
import { defaultMargins, limitsOf } from './limits.ts';
import type { Margins } from './limits.ts';
import { createLine } from './line.ts';
import type { Outcome } from './line.ts';
import { createMemoryLedger } from './memory-ledger.ts';
import { quotaOf, rateLimitHeaders, secondsOf } from './quota.ts';
import type { Quota } from './quota.ts';
import { createRecall } from './recall.ts';
import { createRefusals } from './refusals.ts';
import { createFallback } from './fallback.ts';

/** What goes before what: a step of an enrolment under way, another write, the first read of a page, a read asked for again. */
export type Priority = 'verify' | 'write' | 'first' | 'refetch';

// In turns of the fair line. Bounded on purpose: whoever has priority overtakes, but nobody starves.
const offsets: Readonly<Record<Priority, number>> = { verify: -4, write: 0, first: 0, refetch: 4 };

/** One request that wants to go to the API. */
export interface TakeRequest {
  /** The limiter key of the Auth0 user, never the id itself. */
  readonly user: string;
  readonly cost: CostClass;
  readonly priority?: Priority;
  /** Aborted when the browser left: the place is given back and `take` rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** `giveBack` returns the place of a request that was never sent; once bytes have left it must not be called. */
export type Verdict =
  | { readonly admitted: true; readonly quota: Quota; readonly giveBack: () => void }
  | { readonly admitted: false; readonly by: 'user' | 'tenant'; readonly retryAfterSeconds: number; readonly quota: Quota };

/** For metrics: each request offered, what became of it, and each 429 of the API. One that is offered and no more was left by its browser. */
export type BudgetEvent =
  | { readonly kind: 'offered'; readonly cost: CostClass; readonly user: string }
  | { readonly kind: 'admitted'; readonly cost: CostClass; readonly user: string; readonly waitedMs: number; readonly alone: boolean }
  | { readonly kind: 'refused'; readonly cost: CostClass; readonly by: 'user' | 'tenant' }
  | { readonly kind: 'limited'; readonly cost: CostClass; readonly by: 'user' | 'tenant' };

/** The budget as the proxy uses it. */
export interface Budget {
  /** Asks for one request's place in the user's and the tenant's budget, waiting in the fair line for at most the deadline. */
  take(request: TakeRequest): Promise<Verdict>;
  /** Tells the budget what the API answered; returns at once and never fails. */
  feedback(answer: UpstreamAnswer): void;
  /** `RateLimit` and `RateLimit-Policy` for the answer to a request of this class. */
  headers(quota: Quota, cost: CostClass): Readonly<Record<string, string>>;
  /** The user's own numbers, spending nothing. */
  peek(user: string): Promise<Quota>;
  close(): Promise<void>;
}

/** The plan that holds, and how far to stay from it. */
export interface BudgetOptions {
  readonly plan: PlanName;
  readonly overrides?: PlanOverrides;
  readonly margins?: Partial<Margins>;
  /** How long a request may wait for its slot, ms; 0 refuses at once. */
  readonly deadlineMs?: number;
  /** How many requests may wait in this gateway at once. */
  readonly maxWaiting?: number;
  readonly observe?: (event: BudgetEvent) => void;
  /** Milliseconds, never going back; for tests. */
  readonly now?: () => number;
}

/** The tenant's budget, shared by all gateways on one Redis, or kept in this process without one. */
export function createBudget(options: BudgetOptions, redis?: Redis): Budget {
  const plan = planOf(options.plan, options.overrides);
  const margins = { ...defaultMargins, ...options.margins };
  const limits = limitsOf(plan, margins);
  const deadlineMs = options.deadlineMs ?? 2_500;
  const now = options.now ?? (() => performance.now());
  const observe = options.observe ?? (() => undefined);
  const enter = createLine(options.maxWaiting ?? 1_000);
  const recall = createRecall(limits, now, 50_000);
  const refusals = createRefusals(now, 50_000);
  const gateways = redis && countGateways(redis);
  const shared =
    redis &&
    gateways &&
    createFallback({ redis, limits, recall, now, share: () => margins.alone / gateways.seen(), onCount: gateways.heard });
  const own = createMemoryLedger(() => limits, now);

  async function decide<T>(user: string, use: (ledger: Ledger, alone: boolean) => Promise<T>): Promise<T> {
    return shared ? shared(user, use) : use(own, false);
  }

  async function answer(ask: Ask, signal: AbortSignal | undefined): Promise<{ outcome: Outcome; alone: boolean }> {
    return decide(ask.user, async (ledger, alone) => {
      const outcome = await enter(ledger, ask, signal);
      if (!alone) recall.note(ask.user, outcome.levels);
      else if (outcome.kind === 'taken') recall.spent(ask.user, ask.cost);
      return { outcome, alone };
    });
  }

  async function take(request: TakeRequest): Promise<Verdict> {
    const { user, cost, signal } = request;
    const priority = request.priority ?? (cost === 'write' ? 'write' : 'first');
    const key = `${user} ${cost} ${priority}`;
    const began = now();
    observe({ kind: 'offered', cost, user });
    const known = refusals.find(key);
    const { outcome, alone } = known
      ? { outcome: known, alone: false }
      : await answer({ user, cost, offset: offsets[priority], maxWaitMs: deadlineMs }, signal);
    const quota = quotaOf(outcome.levels, plan, limits);
    if (outcome.kind === 'refused') {
      if (!known && !alone) refusals.keep(key, outcome, deadlineMs);
      observe({ kind: 'refused', cost, by: outcome.by });
      return { admitted: false, by: outcome.by, retryAfterSeconds: secondsOf(outcome.retryMs), quota };
    }
    observe({ kind: 'admitted', cost, user, waitedMs: now() - began, alone });
    let given = false;
    const giveBack = () => {
      if (given) return;
      given = true;
      for (const each of Object.keys(offsets)) refusals.forget(`${user} ${cost} ${each}`);
      decide(user, (ledger) => ledger.giveBack(user, cost)).catch(() => undefined);
    };
    return { admitted: true, quota, giveBack };
  }

  return {
    take,
    feedback(upstream) {
      const lesson = readLesson(upstream, plan, limits, recall.levels(upstream.user)?.[upstream.cost], Date.now());
      if (!lesson) return;
      if (lesson.kind === 'tenant-limited') observe({ kind: 'limited', cost: lesson.cost, by: 'tenant' });
      if (lesson.kind === 'user-limited') observe({ kind: 'limited', cost: lesson.cost, by: 'user' });
      decide(upstream.user, (ledger) => ledger.learn(lesson)).catch(() => undefined);
    },
    headers: rateLimitHeaders,
    async peek(user) {
      return quotaOf(await decide(user, (ledger) => ledger.peek(user)), plan, limits);
    },
    async close() {
      await gateways?.close();
    },
  };
}
