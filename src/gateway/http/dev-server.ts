import type { ClientRequest, IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { devServerObjection } from './dev-server-guard.ts';
import {
  requestHeaders,
  responseHeaders,
  socketHeaders,
  switchHeaders,
  type Told,
} from './dev-server-headers.ts';
import { Failure } from './errors.ts';
import { openProxy } from './proxy-middleware.ts';
import type { TakeUpgrade } from './upgrades.ts';

// The first page of a large front end is built while it is waited for.
const headMs = 120_000;
const switchMs = 30_000;

const unreachable = (cause: unknown): Failure =>
  new Failure('upstream_unreachable', {
    detail: 'The dev server of the front end does not answer.',
    cause,
  });
const malformed = (cause?: unknown): Failure =>
  new Failure('upstream_unreachable', {
    detail: 'The dev server of the front end gave an answer that is not HTTP.',
    cause,
  });
const tooLate = (): Failure =>
  new Failure('upstream_timeout', { detail: 'The dev server of the front end took too long.' });

// What happens to a request under way, told by the engine's events, which name the request.
interface Watch {
  sending?(outgoing: ClientRequest): void;
  answered?(answer: IncomingMessage): void;
  failed(cause: unknown): void;
}

/** The dev server behind this gateway: a handler for requests, and one for the WebSockets of its own. */
export interface DevServer {
  readonly handle: RequestHandler;
  readonly upgrade: TakeUpgrade;
}

/**
 * Hands requests and WebSockets to a dev server, through http-proxy-middleware. The headers are replaced before the engine is called and its hooks
 * only look: the engine skips them where a request says `Expect`. Answers are written here, once their head is known to be one.
 * `target` and `origin` (the public one) are origins; `trustProxy` names the proxies whose forwarded host counts, as the setting does.
 */
export const createDevServer = (parts: {
  target: string;
  origin: string;
  trustProxy: string[] | number | undefined;
}): DevServer => {
  const { target, origin } = parts;
  const { host } = new URL(target);
  const { host: publicHost, protocol } = new URL(origin);
  const watched = new WeakMap<IncomingMessage, Watch>();
  const objection = devServerObjection(parts);
  const told = (req: IncomingMessage): Told => ({
    ...{ host, publicHost, publicScheme: protocol.slice(0, -1), address: req.socket.remoteAddress },
  });
  const proxy = openProxy({
    target,
    selfHandleResponse: true,
    upgradeTimeout: switchMs,
    plugins: [
      (server) => {
        server.on('proxyReq', (outgoing, req) => watched.get(req)?.sending?.(outgoing));
        server.on('proxyReqWs', (outgoing, req) => watched.get(req)?.sending?.(outgoing));
        server.on('proxyRes', (answer, req) => watched.get(req)?.answered?.(answer));
        server.on('error', (cause, req) => req && watched.get(req)?.failed(cause));
      },
    ],
  });

  const handle: RequestHandler = function devServer(req, res, next) {
    const refused = objection.ofRequest(req);
    if (refused !== undefined) {
      next(refused);
      return;
    }
    const sent = req.headers;
    let outgoing: ClientRequest | undefined;
    let settled = false;
    const settle = (): boolean => {
      if (settled) return false;
      settled = true;
      clearTimeout(timer);
      req.headers = sent;
      return true;
    };
    const fail = (failure: Failure): void => {
      if (!settle()) return;
      outgoing?.destroy();
      // Nobody is there to be told when the browser has left.
      if (!res.destroyed) next(failure);
    };
    const timer = setTimeout(() => fail(tooLate()), headMs);
    res.once('close', settle);
    watched.set(req, {
      sending: (started) => (outgoing = started),
      failed: (cause) => fail(unreachable(cause)),
      answered(answer) {
        // What comes too late, or breaks off, is heard by nobody else.
        answer.on('error', () => undefined);
        const { statusCode: status = 0 } = answer;
        if (settled || status < 200 || status > 599) {
          answer.destroy();
          fail(malformed());
          return;
        }
        settle();
        res.writeHead(status, responseHeaders(answer.headers)).flushHeaders();
        // When either breaks off, the engine ends the other.
        answer.pipe(res);
      },
    });
    req.headers = requestHeaders(sent, told(req));
    proxy(req, res, (cause) => fail(unreachable(cause))).catch((cause: unknown) =>
      fail(unreachable(cause)),
    );
  };

  const upgrade: TakeUpgrade = (req, socket, head, refuse) => {
    const refused = objection.ofUpgrade(req);
    if (refused !== undefined) {
      refuse(refused);
      return;
    }
    let switched = false;
    const fail = (failure: Failure): void => {
      if (switched) socket.destroy();
      else refuse(failure);
    };
    watched.set(req, {
      failed: (cause) => fail(isLate(cause) ? tooLate() : unreachable(cause)),
      sending(outgoing) {
        socket.once('close', () => outgoing.destroy());
        // Before the engine's own listeners, which write what they are given: the head of the switch, and every answer that is none.
        outgoing.once('upgrade', (answer, upstream) => {
          switched = true;
          answer.headers = switchHeaders(answer.headers);
          socket.once('close', () => upstream.destroy());
          upstream.once('close', () => socket.end(() => socket.destroy()));
        });
        outgoing.once('response', (answer) => {
          answer.on('error', () => undefined).destroy();
          fail(malformed());
        });
      },
    });
    req.headers = socketHeaders(req.headers, told(req));
    proxy.upgrade(req, socket, head).catch((cause: unknown) => fail(unreachable(cause)));
  };

  return { handle, upgrade };
};

const isLate = (cause: unknown): boolean =>
  typeof cause === 'object' &&
  cause !== null &&
  'code' in cause &&
  cause.code === 'ERR_UPSTREAM_UPGRADE_TIMEOUT';
