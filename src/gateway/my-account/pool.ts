import { openPool, type Pool } from '../http/undici.ts';
import { Failure } from '../http/errors.ts';
import { NoResponse, TruncatedResponse } from '../http/upstream-response.ts';
import type { SendCall, Transport, TransportOptions } from './call.ts';
import { connectionLimits } from './call.ts';
import { readResponse } from './read-response.ts';

/** What Node and undici say of a failed request, as far as it is looked at. */
interface NetworkError {
  readonly code?: string;
  readonly syscall?: string;
  /** Of the connection that was closed: what had come over it, also for requests before. */
  readonly socket?: { readonly bytesRead?: number };
}

const late = 'UND_ERR_CONNECT_TIMEOUT';
const reset = new Set(['ECONNRESET', 'EPIPE']);
const connecting = new Set(['connect', 'getaddrinfo']);

const noResponse = (cause: unknown): NoResponse => {
  const failure: Error & NetworkError = cause instanceof Error ? cause : new Error();
  const { code = '', syscall = '', socket } = failure;
  const sent = code !== late && !connecting.has(syscall);
  const stale = reset.has(code) || (socket?.bytesRead ?? 0) > 0;
  return new NoResponse(code === late ? 'upstream_timeout' : 'upstream_unreachable', {
    sent,
    stale: sent && stale,
    cause,
  });
};

/**
 * Makes the transport of what the gateway asks on its own account, by undici's pool: reads that
 * several may wait for, and connecting an account. Redirects are not followed. A read is repeated
 * once when a kept connection was gone before it was used (RFC 9110 section 9.2.2); nothing else is.
 */
export function createPoolTransport({
  upstream,
  connectMs,
  answerMs,
}: TransportOptions): Transport {
  let opening: Promise<Pool> | undefined;
  let closed = false;
  const open = async (): Promise<Pool> => {
    const { most, idleMs } = connectionLimits;
    const pool = await openPool(upstream, { connections: most, idleMs, connectMs });
    if (closed) void pool.destroy();
    return pool;
  };

  const once: SendCall = async ({ method, url: path, headers, body }, signal, onHead) => {
    const pool = await (opening ??= open());
    if (signal.aborted)
      throw new NoResponse('upstream_unreachable', {
        sent: false,
        stale: false,
        cause: signal.reason,
      });
    const ending = new AbortController();
    const deadline = setTimeout(() => {
      ending.abort(new Failure('upstream_timeout'));
    }, answerMs);
    const leave = (): void => {
      ending.abort(signal.reason);
    };
    signal.addEventListener('abort', leave);
    const over = (): void => {
      clearTimeout(deadline);
      signal.removeEventListener('abort', leave);
    };
    try {
      const answer = await pool.request({
        method,
        path,
        headers,
        body: body ?? null,
        signal: ending.signal,
      });
      answer.body.once('close', over);
      onHead(answer.statusCode, answer.headers);
      return await readResponse(answer.statusCode, answer.headers, answer.body);
    } catch (error) {
      over();
      if (error instanceof TruncatedResponse) throw error;
      if (error instanceof Failure && error === ending.signal.reason)
        throw new NoResponse(error.code, { sent: true, stale: false });
      throw noResponse(error);
    }
  };

  const send: SendCall = async (call, signal, onHead) => {
    try {
      return await once(call, signal, onHead);
    } catch (error) {
      const again = call.method === 'GET' && error instanceof NoResponse && error.stale;
      if (!again || signal.aborted) throw error;
      return once(call, signal, onHead);
    }
  };
  return Object.assign(send, {
    close: () => {
      closed = true;
      void opening?.then((pool) => pool.destroy()).catch(() => undefined);
    },
  });
}
