import { bucketsOf } from '../../../config/plans.ts';
import type { BucketName, BucketOverrides, PlanName } from '../../../config/plans.ts';
import type { Redis } from '../redis/client.ts';
import type { ScriptPipeline } from '../redis/scripts.ts';
import { createSharedOrDegraded } from './degraded.ts';
import { createDenyCache } from './deny-cache.ts';
import { readSignal } from './feedback.ts';
import type { UpstreamAnswer } from './feedback.ts';
import { quotaOf, secondsOf } from './headers.ts';
import type { BucketQuota, Quota } from './headers.ts';
import { countInstances } from './instances.ts';
import { defaultMargins, limitsOf, perBucket } from './limits.ts';
import type { Margins } from './limits.ts';
import { createMemoryLimiterStore } from './memory-store.ts';
import { createFairQueue } from './queue.ts';
import type { Outcome, Reservation } from './queue.ts';
import { createSnapshot } from './snapshot.ts';
import type { Ask, LimiterStore } from './store.ts';
import { trackUnderWay } from './under-way.ts';

/** What goes before what: a step of an enrolment under way, another write, the first read of a page, a read asked for again. */
export type Priority = 'verify' | 'write' | 'first' | 'refetch';

// In turns of the fair queue. Bounded on purpose: whoever has priority overtakes, but nobody starves.
const offsets: Readonly<Record<Priority, number>> = { verify: -4, write: 0, first: 0, refetch: 4 };

const usersRemembered = 50_000;
const waitingAtMost = 1_000;

/** One request that wants to go to the API. */
export interface LimitRequest {
  /** The limiter key of the Auth0 user, never the id itself. */
  readonly user: string;
  readonly bucket: BucketName;
  readonly priority?: Priority;
  /** Aborted when the browser left: the place is given back and `take` rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** A place already asked for, of the same user, bucket and priority. */
  readonly reservation?: Reservation;
}

/** For metrics: each request offered, what became of it, and each 429 of the API. One that is offered and no more was left by its browser. */
export type LimiterEvent =
  | { readonly kind: 'offered'; readonly bucket: BucketName; readonly user: string }
  | {
      readonly kind: 'admitted';
      readonly bucket: BucketName;
      readonly user: string;
      readonly waitedMs: number;
      readonly degraded: boolean;
    }
  | {
      readonly kind: 'refused';
      readonly bucket: BucketName;
      readonly user: string;
      readonly by: 'user' | 'tenant';
      /** Milliseconds after which one request could go. */
      readonly retryMs: number;
    }
  | { readonly kind: 'limited'; readonly bucket: BucketName; readonly by: 'user' | 'tenant' };

/** Whether a request may go to the API. */
export type Verdict = Admitted | Refused;

/** A place, and how long it was waited for. */
export interface Admitted {
  readonly admitted: true;
  readonly quota: BucketQuota;
  readonly waitedMs: number;
  /** Gives the place of a request back that was never sent; once bytes have left it must not be called. */
  refund(): void;
  /** Is called when the API has answered or the request has failed; a place not given back is under way until then. */
  settled(): void;
}

/** No place for this one, and when there could be one. */
export interface Refused {
  readonly admitted: false;
  readonly by: 'user' | 'tenant';
  readonly retryAfterSeconds: number;
  readonly quota: BucketQuota;
}

/** The limiter as the client of the API uses it. */
export interface Limiter {
  /** Asks for one request's place in the user's and the tenant's bucket, waiting in the fair queue for at most the deadline. */
  take(request: LimitRequest): Promise<Verdict>;
  /**
   * Asks for a place as the last call of a pipeline; whoever does not come to `take` it releases it.
   * Undefined where that would not save a trip: without Redis, or when a refusal still holds.
   */
  reserve(request: LimitRequest, pipeline: ScriptPipeline): Reservation | undefined;
  /** Returns the refusal that still holds for such a request, known without a trip; it counts as one. */
  refusal(request: LimitRequest): Refused | undefined;
  /** Takes what the API answered, never throws, and returns for a 429 the whole seconds, at least one, for which it closes a bucket. */
  feedback(answer: UpstreamAnswer): number | undefined;
  /** Returns the user's own numbers, spending nothing. */
  peek(user: string): Promise<Quota>;
  close(): Promise<void>;
}

/** The plan that holds, and how far to stay from it. */
export interface LimiterOptions {
  /** The tenant's issuer: its limits are shared by all gateways for it on one Redis. */
  readonly tenant: string;
  readonly plan: PlanName;
  readonly overrides?: BucketOverrides;
  readonly margins?: Partial<Margins>;
  /** How long a request may wait for its slot, ms; 0 refuses at once. */
  readonly deadlineMs?: number;
  readonly observe?: (event: LimiterEvent) => void;
  /** Milliseconds, never going back; for tests. */
  readonly now?: () => number;
}

/** Returns the limiter of a tenant, shared by all gateways on one Redis, or kept in this process without one. */
export function createLimiter(options: LimiterOptions, redis?: Redis): Limiter {
  const { tenant, observe = () => undefined, now = () => performance.now() } = options;
  const plan = bucketsOf(options.plan, options.overrides);
  const margins = { ...defaultMargins, ...options.margins };
  const limits = limitsOf(plan, margins);
  const deadlineMs = options.deadlineMs ?? 2_500;
  const queue = createFairQueue(waitingAtMost);
  const snapshot = createSnapshot(limits, now, usersRemembered);
  const denied = createDenyCache(now, usersRemembered);
  const underWay = trackUnderWay(now);
  const instances = redis && countInstances(redis, tenant);
  const shared =
    redis &&
    instances &&
    createSharedOrDegraded({
      ...{ redis, tenant, limits, snapshot, now, onCount: instances.heard },
      share: () => margins.degraded / instances.seen(),
    });
  const own = createMemoryLimiterStore(limits, now);

  const decide = async <T>(
    user: string,
    bucket: BucketName | undefined,
    use: (store: LimiterStore, degraded: boolean) => Promise<T>,
  ): Promise<T> => (shared ? shared(user, bucket, use) : use(own, false));

  const priorityOf = ({ priority }: LimitRequest): Priority => priority ?? 'first';
  const keyOf = (request: LimitRequest): string =>
    `${request.user} ${request.bucket} ${priorityOf(request)}`;
  const askOf = (request: LimitRequest): Ask => ({
    user: request.user,
    bucket: request.bucket,
    offset: offsets[priorityOf(request)],
    maxWaitMs: deadlineMs,
  });

  async function outcomeOf(request: LimitRequest) {
    const { user, bucket, signal, reservation } = request;
    return decide(user, bucket, async (store, degraded) => {
      // A place reserved is one in the store that all share: whoever decides by itself by now asks anew, and it goes back.
      const reserved = degraded ? undefined : reservation;
      const outcome = await queue.enter(store, askOf(request), signal, reserved);
      if (!degraded) snapshot.note(user, bucket, outcome.level);
      else if (outcome.kind === 'taken') snapshot.spent(user, bucket);
      return { outcome, degraded };
    });
  }

  function refuse(
    { user, bucket }: LimitRequest,
    { by, retryMs, level }: Extract<Outcome, { kind: 'refused' }>,
  ): Refused {
    observe({ kind: 'refused', bucket, user, by, retryMs });
    const quota = quotaOf(level, bucket, plan, limits);
    return { admitted: false, by, retryAfterSeconds: secondsOf(retryMs), quota };
  }

  function refusal(request: LimitRequest): Refused | undefined {
    const known = denied.find(keyOf(request));
    if (known === undefined) return undefined;
    observe({ kind: 'offered', bucket: request.bucket, user: request.user });
    return refuse(request, known);
  }

  function admitted(request: LimitRequest, level: number, waitedMs: number): Admitted {
    const { user, bucket } = request;
    const end = underWay.begin(user, bucket);
    return {
      admitted: true,
      quota: quotaOf(level, bucket, plan, limits),
      waitedMs,
      refund() {
        if (end() === undefined) return;
        for (const each of Object.keys(offsets)) denied.forget(`${user} ${bucket} ${each}`);
        decide(user, bucket, (store) => store.refund(user, bucket)).catch(() => undefined);
      },
      settled() {
        const ended = end();
        // What filled the bucket meanwhile: less than the margin of the rate covers is not worth a trip.
        if (ended === undefined || ended.ms * limits[bucket].user.perMs < 0.05) return;
        const late = { kind: 'user-late', user, bucket, underWay: ended.count } as const;
        decide(user, bucket, (store) => store.adjust(late)).catch(() => undefined);
      },
    };
  }

  return {
    refusal,
    async take(request) {
      const { user, bucket } = request;
      const began = now();
      const known = refusal(request);
      if (known !== undefined) return known;
      observe({ kind: 'offered', bucket, user });
      const { outcome, degraded } = await outcomeOf(request);
      if (outcome.kind === 'refused') {
        if (!degraded) denied.keep(keyOf(request), outcome, deadlineMs);
        return refuse(request, outcome);
      }
      const waitedMs = now() - began;
      observe({ kind: 'admitted', bucket, user, waitedMs, degraded });
      return admitted(request, outcome.level, waitedMs);
    },
    reserve(request, pipeline) {
      const store = shared?.shared();
      if (!store || denied.find(keyOf(request))) return undefined;
      return queue.reserve(store, askOf(request), pipeline);
    },
    feedback(answer) {
      const { user, bucket } = answer;
      const signal = readSignal(answer, plan, limits, snapshot.level(user, bucket), Date.now());
      if (!signal) return undefined;
      if (signal.kind === 'tenant-limited') observe({ kind: 'limited', bucket, by: 'tenant' });
      if (signal.kind === 'user-limited') observe({ kind: 'limited', bucket, by: 'user' });
      decide(user, bucket, (store) => store.adjust(signal)).catch(() => undefined);
      return 'retryMs' in signal ? secondsOf(signal.retryMs) : undefined;
    },
    async peek(user) {
      const levels = await decide(user, undefined, (store) => store.peek(user));
      return perBucket((bucket) => quotaOf(levels[bucket], bucket, plan, limits));
    },
    async close() {
      await instances?.close();
    },
  };
}
