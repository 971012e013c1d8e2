import type { Call } from './operations.ts';
import { ProblemError, readProblem } from './problem.ts';

/** One HTTP exchange; an answer that is no 2xx is thrown as ProblemError. */
export type Exchange = (
  url: string,
  request: Omit<Call, 'path'> & {
    headers?: Record<string, string>;
    signal?: AbortSignal | undefined;
  },
) => Promise<Response>;

/**
 * `X-CSRF: 1` goes with every call: a form or an image of another site cannot set it, and the
 * gateway asks for it where a browser sends neither Fetch Metadata nor `Origin`. Redirects are not
 * followed: a call that gets one went to the wrong place.
 */
export function createExchange(fetcher: typeof fetch, now: () => number): Exchange {
  return async (url, { method, query = [], body, headers = {}, signal }) => {
    const search = new URLSearchParams(query).toString();
    let response: Response;
    try {
      response = await fetcher(search === '' ? url : `${url}?${search}`, {
        method,
        headers: {
          accept: 'application/json',
          'x-csrf': '1',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        credentials: 'same-origin',
        redirect: 'error',
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (cause) {
      if (signal?.aborted === true) throw cause;
      const problem = {
        status: 0,
        code: 'unreachable',
        title: 'No answer',
        detail: 'The service could not be reached. Check your connection and try again.',
      };
      throw new ProblemError(problem, { cause });
    }
    if (!response.ok) throw await readProblem(response, now());
    return response;
  };
}
