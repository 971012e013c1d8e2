import { currentRequestId } from '../http/request-id.ts';
import type { GrantOptions } from './auth0.ts';
import type { TenantClock } from './clock.ts';

interface Request {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: RequestInit['body'] | undefined;
  readonly signal?: AbortSignal | undefined;
}

type SendOptions = Pick<GrantOptions, 'nested' | 'forwardedFor'> & {
  readonly deadline?: AbortSignal;
};

/**
 * Makes the fetch that carries requests to the tenant: the clock is set by each answer, and what a
 * grant carries beside its form is put in. `deadline` takes the place of a request's own signal.
 */
export const createSend =
  (clock: TenantClock, { nested, forwardedFor, deadline }: SendOptions = {}) =>
  async (url: string, { method, headers, body, signal }: Request): Promise<Response> => {
    const id = currentRequestId();
    const sent: Record<string, string> = { ...headers };
    if (forwardedFor !== undefined) sent['auth0-forwarded-for'] = forwardedFor;
    if (id !== undefined) sent['x-correlation-id'] = id;
    const json = nested !== undefined && body instanceof URLSearchParams;
    if (json) sent['content-type'] = 'application/json';
    const answer = await fetch(url, {
      method,
      headers: sent,
      body: json ? JSON.stringify({ ...Object.fromEntries(body), ...nested }) : (body ?? null),
      redirect: 'manual',
      signal: deadline ?? signal ?? null,
    });
    clock.observe(answer.headers);
    return answer;
  };

/** Runs with a signal that aborts as a timeout after `ms`; the timer ends with the run. */
export const withDeadline = async <T>(
  ms: number,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  const controller = new AbortController();
  // In two steps: a process that was stopped for longer reads what has arrived meanwhile before it
  // gives up. Timers come before sockets in a turn of the event loop.
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
