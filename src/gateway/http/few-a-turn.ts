/**
 * Runs what can wait, in order, at most so many in one turn of the event loop. Each step of anybody else's request waits for a turn to end: one turn
 * that answers a flood of 32 connections lasts as long as 32 answers, and a read has half a dozen such steps.
 */
export const createFewATurn = (atMost: number): ((run: () => void) => void) => {
  let waiting: (() => void)[] = [];
  let at = 0;
  const turn = (): void => {
    const end = Math.min(at + atMost, waiting.length);
    try {
      while (at < end) waiting[at++]?.();
    } finally {
      if (at < waiting.length) {
        // What was run is let go of now and then, not one by one.
        if (at > 1_000) {
          waiting = waiting.slice(at);
          at = 0;
        }
        setImmediate(turn);
      } else {
        waiting = [];
        at = 0;
      }
    }
  };
  return (run) => {
    if (waiting.push(run) === 1) setImmediate(turn);
  };
};
