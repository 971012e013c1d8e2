import type { OperationName } from './api.ts';
import type { ProblemError } from './problem.ts';

/** A wait in progress, told once a second; `secondsLeft` 0 says that it is over. */
export interface Waiting {
  operation: OperationName;
  secondsLeft: number;
  /** `rate_limited` (the user's own limit), `tenant_busy` (everyone's) or `store_unavailable`. */
  code: string;
}

/** Resolves after that many milliseconds, or rejects with the signal's reason. */
export type Pause = (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;

/**
 * Seconds after which the call may be made again, or undefined when it must not be. A 429 was never
 * carried out and neither was what the gateway refused as `tenant_busy`, so those may be repeated
 * whatever they do; any other 503 only when the call just reads.
 */
export function retryDelay(problem: ProblemError, reads: boolean): number | undefined {
  const neverDone = problem.status === 429 || problem.code === 'tenant_busy';
  return neverDone || (problem.status === 503 && reads) ? problem.retryAfterSeconds : undefined;
}

/**
 * Waits in the open: a tick for each second left, the last one 0, also when the wait is given up.
 */
export async function countDown(
  seconds: number,
  tick: (secondsLeft: number) => void,
  pause: Pause,
  signal?: AbortSignal,
): Promise<void> {
  try {
    for (let left = seconds; left > 0; left -= 1) {
      tick(left);
      await pause(1000, signal);
    }
  } finally {
    tick(0);
  }
}
