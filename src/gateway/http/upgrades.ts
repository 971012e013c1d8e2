import { randomUUID } from 'node:crypto';
import { STATUS_CODES, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { Failure } from './errors.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { problemOf } from './problem.ts';

/** Takes an upgrade and answers it in the end, or refuses it: with an answer of HTTP, after which the connection closes. */
export type TakeUpgrade = (
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  refuse: (failure: Failure) => void,
) => void;

/** What a server's `upgrade` event is given to, and the end of every connection that has switched. */
export interface Upgrades {
  /** Returns false where the upgrade is none of the gateway's: then the caller answers it and closes. */
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  /** Ends what has switched, and refuses what comes later. */
  close(): void;
}

const lingerMs = 1_000;
const unheard = (): void => undefined;

/** Answers an upgrade with a failure, as a problem, and closes the connection; an error of the socket after that ends nothing else. */
export const refuseUpgrade = (
  socket: Duplex,
  failure: Failure,
  requestId: string,
  always: readonly string[] = [],
): void => {
  socket.on('error', unheard);
  const body = problemOf(failure, requestId);
  const head = [`HTTP/1.1 ${failure.status} ${STATUS_CODES[failure.status] ?? ''}`];
  for (let i = 0; i + 1 < always.length; i += 2)
    head.push(`${always[i] ?? ''}: ${always[i + 1] ?? ''}`);
  head.push(
    `X-Request-Id: ${requestId}`,
    'Cache-Control: no-store',
    'Content-Type: application/problem+json; charset=utf-8',
  );
  head.push(`Content-Length: ${Buffer.byteLength(body)}`, 'Connection: close');
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  // What still arrives is read and dropped, or the reset that unread bytes cause would overtake the answer; the other side may never close its half.
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), lingerMs).unref();
  socket
    .once('end', () => socket.end(() => socket.destroy()))
    .once('close', () => clearTimeout(timer));
};

/**
 * Makes the one listener that upgrades have. The gateway's own routes switch to nothing; what is left goes to the front end where that takes
 * WebSockets. `always` are names and values that every answer carries, in turn.
 */
export const createUpgrades = (parts: {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly always: readonly string[];
  /** Where the gateway's own routes are. */
  readonly areas: RegExp;
  readonly front: TakeUpgrade | undefined;
}): Upgrades => {
  const { log, metrics, always, areas, front } = parts;
  const open = new Set<Duplex>();
  let closed = false;
  return {
    upgrade(req, socket, head) {
      const owned = areas.test(req.url ?? '');
      if (!owned && front === undefined) return false;
      const requestId = randomUUID();
      let refused = false;
      open.add(socket);
      socket.on('error', unheard).once('close', () => open.delete(socket));
      const refuse = (failure: Failure): void => {
        if (refused) return;
        refused = true;
        metrics.failures.inc({ code: failure.code });
        log.info(
          {
            requestId,
            method: 'GET',
            route: 'upgrade',
            status: failure.status,
            code: failure.code,
          },
          'answered',
        );
        refuseUpgrade(socket, failure, requestId, always);
      };
      if (closed) refuse(new Failure('shutting_down'));
      else if (owned || front === undefined) refuse(new Failure('not_found'));
      else front(req, socket, head, refuse);
      return true;
    },
    close() {
      closed = true;
      for (const socket of open) socket.destroy();
    },
  };
};
