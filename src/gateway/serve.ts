import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import type { Settings } from '../../config/settings.ts';
import { createHealth } from './http/health.ts';
import type { Log } from './http/log.ts';
import type { Metrics } from './http/metrics.ts';

/** What can be served: an application and what runs beside it. */
export interface Servable {
  readonly handler: RequestListener;
  readonly settings: Settings;
  readonly metrics: Metrics;
  readonly log: Log;
  ready(): Promise<boolean>;
  drain(): void;
  close(): Promise<void>;
}

/** A gateway that listens: where it is reached, and how it stops. */
export interface Served {
  readonly port: number;
  readonly adminPort: number;
  /** Takes no new connections, lets open requests finish for the drain time, then ends everything. */
  stop(): Promise<void>;
}

// Longer than the idle time of the proxies usually in front (60 s), or they would reuse a connection that is just being closed.
const keepAliveMs = 65_000;

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
  error instanceof Error && 'code' in error && (error.code === 'EAFNOSUPPORT' || error.code === 'EADDRNOTAVAIL');

/** Listens on PORT, and on ADMIN_PORT for health and metrics; rejects with the system's error when an address is taken. */
export const serve = async (gateway: Servable): Promise<Served> => {
  const { settings, handler, metrics, log } = gateway;
  let draining = false;
  const ready = async (): Promise<boolean> => !draining && (await gateway.ready());

  const admin = express().disable('x-powered-by');
  admin.use(createHealth(ready));
  admin.get('/metrics', async (_req, res) => {
    const { contentType, text } = await metrics.expose();
    res.set('Content-Type', contentType).send(text);
  });

  const front = createServer(
    { keepAliveTimeout: keepAliveMs, headersTimeout: 10_000, requestTimeout: 30_000, maxHeaderSize: 16_384, optimizeEmptyRequests: true },
    handler,
  );
  const back = createServer(admin);
  const port = await listen(front, settings.PORT, settings.HOST).catch(async (error: unknown) => {
    // "::" means every address; where the machine has no IPv6 that is every IPv4 address.
    if (settings.HOST !== '::' || !noSuchFamily(error)) throw error;
    return listen(front, settings.PORT, '0.0.0.0');
  });
  const adminPort = await listen(back, settings.ADMIN_PORT, settings.ADMIN_HOST).catch((error: unknown) => {
    front.close();
    throw error;
  });
  log.info({ address: `${settings.HOST} ${port}`, event: 'listening' }, 'listening');

  return {
    port,
    adminPort,
    async stop() {
      draining = true;
      gateway.drain();
      const closed = new Promise<void>((resolve) => front.close(() => resolve()));
      front.closeIdleConnections();
      const impatience = setTimeout(() => front.closeAllConnections(), settings.DRAIN_SECONDS * 1000);
      // A kept-alive connection turns idle when its answer is out.
      const idle = setInterval(() => front.closeIdleConnections(), 100);
      await closed;
      clearTimeout(impatience);
      clearInterval(idle);
      back.close();
      back.closeAllConnections();
      await gateway.close();
    },
  };
};
