import { Agent as HttpAgent } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Readable } from 'node:stream';
import { Failure } from '../http/errors.ts';
import type { FailureCode } from '../http/errors.ts';
import { openProxy } from '../http/proxy-middleware.ts';
import { NoResponse } from '../http/upstream-response.ts';
import type { ApiCall, Browser, SendCall, Transport, TransportOptions } from './call.ts';
import { connectionLimits } from './call.ts';
import { readResponse } from './read-response.ts';

interface Exchange {
  readonly call: ApiCall;
  sending(request: ClientRequest): void;
  answered(message: IncomingMessage): void;
  failed(error: unknown): void;
}

/**
 * Makes the transport of the browser's own changes, by http-proxy-middleware with the browser's own
 * request and response. The request's headers are replaced by the allow-listed set before the
 * engine is called, since it skips its hooks on `Expect`; hooks only observe. The body was read and
 * is held: it goes as the engine's `buffer`, so that the change can be repeated after a 401, and
 * its exact length takes the place of `Transfer-Encoding`. The response is not written by the
 * engine: its headers and body are read by the allow-lists like any other.
 */
export function createProxyTransport({
  upstream,
  connectMs,
  answerMs,
}: TransportOptions): Transport {
  const { protocol, hostname, host, port } = new URL(upstream);
  const secure = protocol === 'https:';
  const kept = {
    keepAlive: true,
    maxSockets: connectionLimits.most,
    maxFreeSockets: 64,
    timeout: connectionLimits.idleMs,
  };
  const agent = secure ? new HttpsAgent(kept) : new HttpAgent(kept);
  const exchanges = new WeakMap<IncomingMessage, Exchange>();
  const exchangeOf = (req: IncomingMessage | undefined): Exchange | undefined =>
    req && exchanges.get(req);
  const proxy = openProxy({
    target: {
      protocol,
      hostname,
      host,
      port: port === '' ? (secure ? 443 : 80) : Number(port),
      pathname: '',
    },
    agent,
    selfHandleResponse: true,
    pathRewrite(_path, req, _res, options) {
      const exchange = exchangeOf(req);
      if (exchange === undefined || options === undefined)
        throw new TypeError('not a request of this transport');
      const { body, url } = exchange.call;
      options.buffer = Readable.from(body === undefined ? [] : [body]);
      return url;
    },
    plugins: [
      (server) => {
        server.on('proxyReq', (request, req) => exchangeOf(req)?.sending(request));
        server.on('proxyRes', (message, req) => exchangeOf(req)?.answered(message));
        server.on('error', (error, req) => exchangeOf(req)?.failed(error));
        server.on('econnreset', (error, req) => exchangeOf(req)?.failed(error));
      },
    ],
  });

  const exchange = (
    call: ApiCall,
    { req, res }: Browser,
    signal: AbortSignal,
  ): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      let request: ClientRequest | undefined;
      let message: IncomingMessage | undefined;
      let connecting: NodeJS.Timeout | undefined;
      let settled = false;
      let connected = false;

      const over = (): void => {
        clearTimeout(deadline);
        clearTimeout(connecting);
        signal.removeEventListener('abort', left);
      };
      const fail = (code: FailureCode, cause?: unknown): void => {
        if (settled) return;
        settled = true;
        over();
        const stale = request?.reusedSocket === true && code === 'upstream_unreachable';
        reject(new NoResponse(code, { sent: connected, stale, cause }));
      };
      const tooLate = (): void => {
        fail('upstream_timeout');
        const failure = new Failure('upstream_timeout');
        if (message === undefined) request?.destroy(failure);
        else message.destroy(failure);
      };
      const left = (): void => {
        fail('upstream_unreachable', signal.reason);
        over();
        request?.destroy();
      };
      const deadline = setTimeout(tooLate, answerMs);
      signal.addEventListener('abort', left);

      exchanges.set(req, {
        call,
        sending(started) {
          request = started;
          if (settled) {
            started.destroy();
            return;
          }
          const { socket } = started;
          connected = socket?.connecting !== true;
          if (connected) return;
          connecting = setTimeout(tooLate, connectMs);
          socket?.once(secure ? 'secureConnect' : 'connect', () => {
            connected = true;
            clearTimeout(connecting);
          });
        },
        answered(answer) {
          message = answer;
          answer.once('close', over).on('error', () => undefined);
          if (settled) {
            answer.destroy();
            return;
          }
          settled = true;
          resolve(answer);
        },
        failed(error) {
          fail('upstream_unreachable', error);
        },
      });
      if (signal.aborted) left();
      else void proxy(req, res);
    });

  const send: SendCall = async (call, signal, onHead) => {
    const { browser } = call;
    if (browser === undefined) throw new TypeError('a change of no browser');
    const { req } = browser;
    const { headers, url } = req;
    req.headers = { ...call.headers };
    try {
      const message = await exchange(call, browser, signal);
      onHead(message.statusCode ?? 0, message.headers);
      return await readResponse(message.statusCode ?? 0, message.headers, message);
    } finally {
      req.headers = headers;
      if (url !== undefined) req.url = url;
    }
  };
  return Object.assign(send, {
    close: () => {
      agent.destroy();
    },
  });
}
