import type { Answer, Ask, Ledger, Ticket } from './ledger.ts';

/** How a request's waiting ended. */
export type Outcome = Exclude<Answer, { kind: 'wait' }>;

/** Lets a request in, now or when its turn has come, or refuses it; rejects with the signal's reason when the browser left meanwhile. */
export type Line = (ledger: Ledger, ask: Ask, signal?: AbortSignal) => Promise<Outcome>;

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

  return async (ledger, ask, signal) => {
    signal?.throwIfAborted();
    let answer = await ledger.ask(waiting < maxWaiting ? ask : { ...ask, maxWaitMs: 0 });
    while (answer.kind === 'wait') {
      await wait(ledger, answer.ticket, answer.waitMs, signal);
      answer = await ledger.claim(answer.ticket);
    }
    if (signal?.aborted && answer.kind === 'taken') await ledger.giveBack(ask.user, ask.cost).catch(() => undefined);
    signal?.throwIfAborted();
    return answer;
  };
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
