import { planOf } from '../../../config/plans.ts';
import type { CostClass, PlanName, PlanOverrides } from '../../../config/plans.ts';
import type { Redis, ScriptPipeline } from '../redis/client.ts';
import type { Ahead } from './ahead.ts';
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
import type { Refused, Verdict } from './verdict.ts';

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
  /** A place already asked for, of the same user, class and priority. */
  readonly ahead?: Ahead;
}

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
  /**
   * Asks for a place as the last call of a chain; whoever does not come to `take` it releases it. Undefined where that would not save a trip: without
   * Redis, or when a refusal still holds.
   */
  ahead(request: TakeRequest, chain: ScriptPipeline): Ahead | undefined;
  /** The refusal that still holds for such a request, known without a trip; it counts as one. */
  refusal(request: TakeRequest): Refused | undefined;
  /** Tells the budget what the API answered, never fails, and returns for a 429 the whole seconds, at least one, for which it closes a bucket. */
  feedback(answer: UpstreamAnswer): number | undefined;
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
  const line = createLine(options.maxWaiting ?? 1_000);
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

  async function answer(ask: Ask, { signal, ahead }: TakeRequest): Promise<{ outcome: Outcome; alone: boolean }> {
    return decide(ask.user, async (ledger, alone) => {
      // A place asked for ahead is one in the ledger that all share: whoever decides alone by now asks anew, and it goes back.
      const outcome = await line.enter(ledger, ask, signal, alone ? undefined : ahead);
      if (!alone) recall.note(ask.user, outcome.levels);
      else if (outcome.kind === 'taken') recall.spent(ask.user, ask.cost);
      return { outcome, alone };
    });
  }

  const priorityOf = ({ priority, cost }: TakeRequest): Priority => priority ?? (cost === 'write' ? 'write' : 'first');
  const keyOf = (request: TakeRequest): string => `${request.user} ${request.cost} ${priorityOf(request)}`;
  const askOf = (request: TakeRequest): Ask => {
    const { user, cost } = request;
    return { user, cost, offset: offsets[priorityOf(request)], maxWaitMs: deadlineMs };
  };

  function refuse({ cost }: TakeRequest, { by, retryMs, levels }: Extract<Outcome, { kind: 'refused' }>): Refused {
    observe({ kind: 'refused', cost, by });
    return { admitted: false, by, retryAfterSeconds: secondsOf(retryMs), quota: quotaOf(levels, plan, limits) };
  }

  function refusal(request: TakeRequest): Refused | undefined {
    const known = refusals.find(keyOf(request));
    if (known === undefined) return undefined;
    observe({ kind: 'offered', cost: request.cost, user: request.user });
    return refuse(request, known);
  }

  async function take(request: TakeRequest): Promise<Verdict> {
    const { user, cost } = request;
    const began = now();
    const known = refusal(request);
    if (known !== undefined) return known;
    observe({ kind: 'offered', cost, user });
    const { outcome, alone } = await answer(askOf(request), request);
    if (outcome.kind === 'refused') {
      if (!alone) refusals.keep(keyOf(request), outcome, deadlineMs);
      return refuse(request, outcome);
    }
    const quota = quotaOf(outcome.levels, plan, limits);
    const waitedMs = now() - began;
    observe({ kind: 'admitted', cost, user, waitedMs, alone });
    let given = false;
    const giveBack = () => {
      if (given) return;
      given = true;
      for (const each of Object.keys(offsets)) refusals.forget(`${user} ${cost} ${each}`);
      decide(user, (ledger) => ledger.giveBack(user, cost)).catch(() => undefined);
    };
    return { admitted: true, quota, waitedMs, giveBack };
  }

  return {
    take,
    refusal,
    ahead(request, chain) {
      const ledger = shared?.shared();
      return ledger && !refusals.find(keyOf(request)) ? line.ahead(ledger, askOf(request), chain) : undefined;
    },
    feedback(upstream) {
      const lesson = readLesson(upstream, plan, limits, recall.levels(upstream.user)?.[upstream.cost], Date.now());
      if (!lesson) return undefined;
      if (lesson.kind === 'tenant-limited') observe({ kind: 'limited', cost: lesson.cost, by: 'tenant' });
      if (lesson.kind === 'user-limited') observe({ kind: 'limited', cost: lesson.cost, by: 'user' });
      decide(upstream.user, (ledger) => ledger.learn(lesson)).catch(() => undefined);
      return 'retryMs' in lesson ? secondsOf(lesson.retryMs) : undefined;
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
