import { createServer, request as send, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Log } from '../../src/gateway/http/log.ts';
import { createGateway, type Gateway } from '../../src/gateway/index.ts';

/** A gateway of this process that listens: its address, its parts, all it logged, and its end. */
export interface Listening {
  readonly url: string;
  readonly gateway: Gateway;
  close(): Promise<void>;
}

/** Reserves a port of localhost: a gateway must know its public origin before it listens. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const { port } = server.address() as AddressInfo;
  await closed(server);
  return port;
}

/**
 * A front that hands requests to several gateways in turn, one each, as a load balancer without sticky sessions does.
 * `url` is the public origin of them all; `counts` says how many requests each one got.
 */
export interface Alternating {
  readonly url: string;
  readonly counts: readonly number[];
  /** Sets where requests go on to. */
  targets(urls: readonly string[]): void;
  close(): Promise<void>;
}

/** Starts it on a port of localhost, a free one unless named. The caller closes it. */
export async function startAlternating(port = 0): Promise<Alternating> {
  let targets: readonly string[] = [];
  const counts: number[] = [];
  let next = 0;
  const server = createServer((req, res) => {
    const index = next++ % Math.max(targets.length, 1);
    counts[index] = (counts[index] ?? 0) + 1;
    const onward = send(new URL(req.url ?? '/', targets[index]), {
      method: req.method ?? 'GET',
      headers: req.headers,
      agent: false,
    });
    onward.once('error', () => res.destroy());
    onward.once('response', (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(res);
    });
    res.once('close', () => onward.destroy());
    req.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(port, 'localhost', resolve));
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    counts,
    targets(urls) {
      targets = urls;
    },
    async close() {
      server.closeAllConnections();
      await closed(server);
    },
  };
}

/**
 * Starts a gateway in this process on a port of localhost, with these settings (by their environment names), as a guest of the
 * application that `host` makes where it is given. The caller closes it.
 */
export async function startGateway(
  settings: Record<string, string>,
  port = 0,
  log?: Log,
  host?: (gateway: Gateway) => RequestListener,
): Promise<Listening> {
  const chosen = port === 0 ? await freePort() : port;
  const url = `http://localhost:${chosen}`;
  const gateway = createGateway(
    { LOG_LEVEL: 'silent', APP_BASE_URL: url, ...settings },
    log === undefined ? {} : { log },
  );
  const server = createServer(host?.(gateway) ?? gateway.app);
  await new Promise<void>((resolve) => server.listen(chosen, 'localhost', resolve));
  return {
    url,
    gateway,
    async close() {
      server.closeAllConnections();
      await closed(server);
      await gateway.close();
    },
  };
}

async function closed(server: Server): Promise<void> {
  await new Promise((resolve) => server.close(resolve));
}
