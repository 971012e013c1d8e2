import type { ScriptPipeline } from '../redis/client.ts';
import { askAhead, type Ahead } from './ahead.ts';
import type { Answer, Ask, Ledger, Ticket } from './ledger.ts';

/** How a request's waiting ended. */
export type Outcome = Exclude<Answer, { kind: 'wait' }>;

/** Where requests wait for their turn. */
export interface Line {
  /** Lets a request in, now or when its turn has come, or refuses it; rejects with the signal's reason when the browser left meanwhile. */
  enter(ledger: Ledger, ask: Ask, signal?: AbortSignal, ahead?: Ahead): Promise<Outcome>;
  /** Asks for a place for one who may come, in one trip with what decides that. */
  ahead(ledger: Ledger, ask: Ask, chain: ScriptPipeline): Ahead;
}

/**
 * The waiting room of this gateway: at most `maxWaiting` requests sleep here until the slot the ledger gave them, and ask again only then.
 * A request that leaves gives its place and its tokens back. Beyond the bound nobody waits: what cannot go at once is refused.
 */
export function createLine(maxWaiting: number): Line {
  let waiting = 0;

  async function wait(ledger: Ledger, ticket: Ticket, waitMs: number, signal: AbortSignal | undefined): Promise<void> {
    waiting += 1;
    try {
      await pause(waitMs, signal);
    } catch (left) {
      await ledger.leave(ticket).catch(() => undefined);
      throw left;
    } finally {
      waiting -= 1;
    }
  }

  const bounded = (ask: Ask): Ask => (waiting < maxWaiting ? ask : { ...ask, maxWaitMs: 0 });

  async function enter(ledger: Ledger, ask: Ask, signal?: AbortSignal, ahead?: Ahead): Promise<Outcome> {
    signal?.throwIfAborted();
    let answer = (await ahead?.use()) ?? (await ledger.ask(bounded(ask)));
    while (answer.kind === 'wait') {
      await wait(ledger, answer.ticket, answer.waitMs, signal);
      answer = await ledger.claim(answer.ticket);
    }
    if (signal?.aborted && answer.kind === 'taken') await ledger.giveBack(ask.user, ask.cost).catch(() => undefined);
    signal?.throwIfAborted();
    return answer;
  }
  return { enter, ahead: (ledger, ask, chain) => askAhead(ledger, bounded(ask), chain) };
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = () => {
      clearTimeout(timer);
      reject(signal?.reason instanceof Error ? signal.reason : new DOMException('The request was given up', 'AbortError'));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', leave);
      resolve();
    }, Math.ceil(ms));
    if (signal?.aborted) leave();
    else signal?.addEventListener('abort', leave, { once: true });
  });
}
