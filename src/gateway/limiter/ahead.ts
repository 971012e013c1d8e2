import type { ScriptPipeline } from '../redis/client.ts';
import type { Answer, Ask, Ledger } from './ledger.ts';

/** A place asked for in one trip with what decides whether it is needed. */
export interface Ahead {
  /** What the ledger said, for the one who takes it up; undefined when it was taken up before, released, or not asked for after all. */
  use(): Promise<Answer | undefined>;
  /** Gives the place back if nobody took it up. */
  release(): void;
}

/** Asks for a place as the last call of a chain. */
export function askAhead(ledger: Ledger, ask: Ask, chain: ScriptPipeline): Ahead {
  let open = true;
  const asked = ledger.ask(ask, chain);
  // Whoever asks for it again hears of a ledger that is away.
  const answer = asked.catch(() => undefined);
  const close = (): boolean => {
    const was = open;
    open = false;
    return was;
  };
  return {
    use: () => (close() ? answer : Promise.resolve(undefined)),
    release() {
      if (!close()) return;
      const back = answer.then((given) => {
        if (given?.kind === 'taken') return ledger.giveBack(ask.user, ask.cost);
        return given?.kind === 'wait' ? ledger.leave(given.ticket) : undefined;
      });
      back.catch(() => undefined);
    },
  };
}
