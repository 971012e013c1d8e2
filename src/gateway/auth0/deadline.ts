/** Runs with a signal that aborts as a timeout after `ms`, and lets go of it when that is done. */
export const withDeadline = async <T>(ms: number, run: (signal: AbortSignal) => Promise<T>): Promise<T> => {
  const controller = new AbortController();
  // In two steps: a process that was stopped longer than that reads what has arrived meanwhile
  // before it gives up. Timers come before sockets in a turn of the event loop.
  const graceMs = Math.min(1_000, ms / 4);
  let timer = setTimeout(() => {
    timer = setTimeout(() => {
      controller.abort(new DOMException('no answer in time', 'TimeoutError'));
    }, graceMs);
  }, ms - graceMs);
  try {
    return await run(controller.signal);
  } finally {
    clearTimeout(timer);
  }
};
