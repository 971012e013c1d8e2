import type { ScriptPipeline } from '../redis/scripts.ts';
import type { Ask, Decision, LimiterStore, QueueTicket } from './store.ts';

/** How a request's waiting ended. */
export type Outcome = Exclude<Decision, { kind: 'wait' }>;

/** A place asked for in one trip with what decides whether it is needed. */
export interface Reservation {
  /** Resolves to what the store decided, for the one who takes it up; undefined when it was taken up before, released, or not asked for after all. */
  use(): Promise<Decision | undefined>;
  /** Gives the place back if nobody took it up. */
  release(): void;
}

/** Where the requests of this gateway wait for their turn. */
export interface FairQueue {
  /** Lets a request in, now or when its turn has come, or refuses it; rejects with the signal's reason when the browser left meanwhile. */
  enter(
    store: LimiterStore,
    ask: Ask,
    signal?: AbortSignal,
    reservation?: Reservation,
  ): Promise<Outcome>;
  /** Asks for a place for one who may come, as the last call of a pipeline. */
  reserve(store: LimiterStore, ask: Ask, pipeline: ScriptPipeline): Reservation;
}

/**
 * At most `maxWaiting` requests sleep here until the slot the store gave them, and ask again only
 * then. A request that leaves gives its place and its tokens back. Beyond the bound nobody waits:
 * what cannot go at once is refused.
 */
export function createFairQueue(maxWaiting: number): FairQueue {
  let waiting = 0;

  async function wait(
    store: LimiterStore,
    ticket: QueueTicket,
    waitMs: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    waiting += 1;
    try {
      await pause(waitMs, signal);
    } catch (left) {
      await store.cancel(ticket).catch(() => undefined);
      throw left;
    } finally {
      waiting -= 1;
    }
  }

  const bounded = (ask: Ask): Ask => (waiting < maxWaiting ? ask : { ...ask, maxWaitMs: 0 });

  return {
    async enter(store, ask, signal, reservation) {
      signal?.throwIfAborted();
      let decision = (await reservation?.use()) ?? (await store.ask(bounded(ask)));
      while (decision.kind === 'wait') {
        await wait(store, decision.ticket, decision.waitMs, signal);
        decision = await store.claim(decision.ticket);
      }
      if (signal?.aborted && decision.kind === 'taken') {
        await store.refund(ask.user, ask.bucket).catch(() => undefined);
      }
      signal?.throwIfAborted();
      return decision;
    },
    reserve: (store, ask, pipeline) => reserve(store, bounded(ask), pipeline),
  };
}

function reserve(store: LimiterStore, ask: Ask, pipeline: ScriptPipeline): Reservation {
  let open = true;
  // Whoever asks for it again learns that the store is away.
  const decision = store.ask(ask, pipeline).catch(() => undefined);
  const close = (): boolean => {
    const was = open;
    open = false;
    return was;
  };
  const giveBack = async (): Promise<void> => {
    const given = await decision;
    if (given?.kind === 'taken') await store.refund(ask.user, ask.bucket);
    if (given?.kind === 'wait') await store.cancel(given.ticket);
  };
  return {
    use: () => (close() ? decision : Promise.resolve(undefined)),
    release() {
      if (close()) giveBack().catch(() => undefined);
    },
  };
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = () => {
      clearTimeout(timer);
      const { reason } = (signal ?? {}) as { reason?: unknown };
      const error = new DOMException('The request was given up', 'AbortError');
      reject(reason instanceof Error ? reason : error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', leave);
      resolve();
    }, Math.ceil(ms));
    if (signal?.aborted) leave();
    else signal?.addEventListener('abort', leave, { once: true });
  });
}
