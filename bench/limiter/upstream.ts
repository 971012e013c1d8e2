import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { rateLimitHeaders, takeRate, type RateQuestion } from '../../src/tenant/me/rate-limit.ts';
import { createBuckets } from '../../src/tenant/state/buckets.ts';
import { createClock } from '../../src/tenant/state/clock.ts';

/** The API's side: the local tenant's own strict buckets and headers behind a bare HTTP server, so that nothing else costs time. */
export interface Upstream {
  readonly url: string;
  /** Another application on the tenant: so many requests a second from now on, which nobody here sees but through the headers. */
  foreign(perSecond: number): void;
  /** How many requests of that application there were, and how many were refused. */
  foreigners(): { readonly asked: number; readonly refused: number };
  close(): Promise<void>;
}

/** Starts one; `limits` as the tenant keeps them, users by the header `user`. */
export async function startUpstream(limits: RateQuestion['limits']): Promise<Upstream> {
  const buckets = createBuckets(createClock(() => 0));
  const server = createServer((req, res) => {
    const user = String(req.headers['user']);
    const verdict = takeRate(buckets, { bucket: 'read', limits, user });
    res.writeHead(verdict.drawn.allowed ? 200 : 429, rateLimitHeaders(verdict)).end('[]');
  });
  server.keepAliveTimeout = 30_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  let timer: NodeJS.Timeout | undefined;
  let [asked, refused] = [0, 0];
  return {
    url: `http://127.0.0.1:${port}`,
    foreign(perSecond) {
      clearInterval(timer);
      if (perSecond === 0) return;
      timer = setInterval(() => {
        asked += 1;
        if (!takeRate(buckets, { bucket: 'read', limits, user: undefined }).drawn.allowed)
          refused += 1;
      }, 1_000 / perSecond);
    },
    foreigners: () => ({ asked, refused }),
    close: () =>
      new Promise((resolve) => {
        clearInterval(timer);
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}
