import { randomUUID } from 'node:crypto';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import express from 'express';
import type { Settings } from '../../config/settings.ts';
import { Failure } from './http/errors.ts';
import { createHealth } from './http/health.ts';
import type { Log } from './http/log.ts';
import type { Metrics } from './http/metrics.ts';
import { refuseUpgrade } from './http/upgrades.ts';

/** What can be served: an application and what runs beside it. */
export interface Servable {
  readonly app: RequestListener;
  readonly settings: Settings;
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  readonly metrics: Metrics;
  readonly log: Log;
  ready(): Promise<boolean>;
  unready(): void;
  drain(): void;
  close(withinMs?: number): Promise<void>;
}

/** A gateway that listens: where it is reached, and how it stops. */
export interface Served {
  readonly port: number;
  readonly adminPort: number;
  /**
   * Says it is not ready and goes on answering for the drain delay; then takes no new connections,
   * lets open requests and work without one finish for the drain time, and ends everything.
   */
  stop(): Promise<void>;
}

// Longer than the idle time of the proxies usually in front (60 s), or they would reuse a connection that is just being closed.
const keepAliveMs = 65_000;

// For a head and for a whole request; Node looks every 30 seconds, unless told to look more often.
const deadlines = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 1_000,
};
// A connection on which nothing moved, in the middle of a request: longer than any answer takes to begin. Event streams move every 15 seconds.
const idleMs = 200_000;

const listen = async (server: Server, port: number, host: string): Promise<number> => {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return (server.address() as AddressInfo).port;
};

const noSuchFamily = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  (error.code === 'EAFNOSUPPORT' || error.code === 'EADDRNOTAVAIL');

/**
 * Returns a function after whose call every answer that has not begun says `Connection: close`
 * (RFC 9112 9.6): whoever reuses connections then has none left here by the time the listener closes.
 */
const closeAfterAnswers = (server: Server): (() => void) => {
  const open = new Set<ServerResponse>();
  let leaving = false;
  server.on('request', (_req, res) => {
    open.add(res);
    res.once('close', () => open.delete(res));
    if (leaving) res.shouldKeepAlive = false;
  });
  return () => {
    leaving = true;
    for (const res of open) res.shouldKeepAlive = false;
  };
};

// A turn as short as this met nobody, and leaves no time in which somebody could have come.
const quietTurnMs = 0.3;
const quietWithinMs = 2_000;

/**
 * Waits for a turn of the event loop that accepted no connection, for two seconds at most. Closing a
 * listener resets the connections that wait to be accepted, one of which a turn takes: a write that
 * was sent on one of them cannot be sent again by a proxy, which does not know what became of it.
 */
const untilQuiet = async (server: Server): Promise<void> => {
  const until = performance.now() + quietWithinMs;
  let accepted = 0;
  const count = (): void => {
    accepted += 1;
  };
  server.on('connection', count);
  for (let quiet = false; !quiet && performance.now() < until;) {
    const [before, began] = [accepted, performance.now()];
    await new Promise((resolve) => setImmediate(resolve));
    quiet = accepted === before && performance.now() - began < quietTurnMs;
  }
  server.off('connection', count);
};

/** Listens on PORT, and on ADMIN_PORT for health and metrics; rejects with the system's error when an address is taken. */
export const serve = async (gateway: Servable): Promise<Served> => {
  const { settings, app, metrics, log } = gateway;
  const admin = express().disable('x-powered-by');
  admin.use(createHealth(gateway.ready));
  admin.get('/metrics', async (_req, res) => {
    const { contentType, text } = await metrics.expose();
    res.set('Content-Type', contentType).send(text);
  });

  const front = createServer({
    ...deadlines,
    keepAliveTimeout: keepAliveMs,
    maxHeaderSize: 16_384,
    optimizeEmptyRequests: true,
  });
  front.setTimeout(idleMs);
  const leave = closeAfterAnswers(front);
  front.on('request', app);
  // An upgrade that nobody takes would stay open for ever.
  front.on('upgrade', (req: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (!gateway.upgrade(req, socket, head))
      refuseUpgrade(socket, new Failure('not_found'), randomUUID());
  });
  const back = createServer(admin);
  const port = await listen(front, settings.PORT, settings.HOST).catch(async (error: unknown) => {
    // "::" means every address; where the machine has no IPv6 that is every IPv4 address.
    if (settings.HOST !== '::' || !noSuchFamily(error)) throw error;
    return listen(front, settings.PORT, '0.0.0.0');
  });
  const adminPort = await listen(back, settings.ADMIN_PORT, settings.ADMIN_HOST).catch(
    (error: unknown) => {
      front.close();
      throw error;
    },
  );
  log.info({ address: `${settings.HOST} ${port}`, event: 'listening' }, 'listening');

  return {
    port,
    adminPort,
    async stop() {
      gateway.unready();
      leave();
      await sleep(settings.DRAIN_DELAY_SECONDS * 1000);
      const until = performance.now() + settings.DRAIN_SECONDS * 1000;
      gateway.drain();
      await untilQuiet(front);
      const closed = new Promise<void>((resolve) => front.close(() => resolve()));
      front.closeIdleConnections();
      const impatience = setTimeout(
        () => front.closeAllConnections(),
        settings.DRAIN_SECONDS * 1000,
      );
      // A kept-alive connection turns idle when its answer is out.
      const idle = setInterval(() => front.closeIdleConnections(), 100);
      await closed;
      clearTimeout(impatience);
      clearInterval(idle);
      await gateway.close(Math.max(0, until - performance.now()));
      back.close();
      back.closeAllConnections();
    },
  };
};
