import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';
import type { Log } from './log.ts';

declare module 'express-serve-static-core' {
  interface Request {
    /** Names this request in the log, in problems and at Auth0. */
    id?: string;
  }
}

/** Whether this address, so many proxies away, is one of our own: as Express compiles `trust proxy`. */
export type TrustsProxy = (address: string | undefined, hop: number) => boolean;

// A proxy sets the first itself; the second may be what the browser sent to it.
const inbound = ['x-request-id', 'x-correlation-id'] as const;
// What Auth0 takes as `correlation_id`. Nothing in it needs to be escaped in JSON, a URL or a header.
const form = /^[-\w.*~@+/:]{1,64}$/;
const current = new AsyncLocalStorage<string>();

/**
 * Makes the handler that gives every request its id: the one of a trusted proxy, else a UUID, since
 * anybody else could forge one. Every answer tells it as `X-Request-Id` (see security-headers).
 */
export const createRequestId = (trusts: TrustsProxy = () => false): RequestHandler =>
  function requestId(req, _res, next) {
    let id: string | undefined;
    for (const name of inbound) {
      const value = req.headers[name];
      if (id !== undefined || typeof value !== 'string' || !form.test(value)) continue;
      if (trusts(req.socket.remoteAddress, 0)) id = value;
    }
    req.id = id ?? randomUUID();
    current.run(req.id, next);
  };

/** Returns the id of the request that is being answered, or undefined outside of one. */
export const currentRequestId = (): string | undefined => current.getStore();

/** Returns the log with the id of the request that is being answered in every line that names none. */
export const withRequestId = (log: Log): Log => {
  const named = (fields: object): object => {
    const requestId = current.getStore();
    return requestId === undefined ? fields : { requestId, ...fields };
  };
  return {
    debug: (fields, message) => {
      log.debug(named(fields), message);
    },
    info: (fields, message) => {
      log.info(named(fields), message);
    },
    warn: (fields, message) => {
      log.warn(named(fields), message);
    },
    error: (fields, message) => {
      log.error(named(fields), message);
    },
  };
};
