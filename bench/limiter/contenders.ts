import express from 'express';
import type { ErrorRequestHandler } from 'express';
import { rateLimit } from 'express-rate-limit';
import { Redis as Client } from 'ioredis';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { RedisStore } from 'rate-limit-redis';
import { RateLimiterQueue, RateLimiterRedis } from 'rate-limiter-flexible';
import { createLimiter } from '../../src/gateway/limiter/limiter.ts';
import { createRedis } from '../../src/gateway/redis/client.ts';

/** The limits everybody is configured with: requests a second for the tenant, a minute for one user. */
export interface Numbers {
  readonly tenant: number;
  readonly user: number;
}

/** One gateway's limiter: may this request go? It may take its time to say yes. */
export interface Gate {
  admit(user: string): Promise<boolean>;
  told?(user: string, status: number, headers: Record<string, string | string[] | undefined>): void;
  close(): Promise<void>;
}

/** Opens one gateway of a contender on the Redis at `url`, keys under `prefix`. */
export type Contender = (url: string, prefix: string, numbers: Numbers) => Promise<Gate>;

const end = (client: Client) => () => {
  client.disconnect();
  return Promise.resolve();
};
const connect = (url: string) => {
  const client = new Client(url, { maxRetriesPerRequest: 1, retryStrategy: () => 100 });
  client.on('error', () => undefined);
  return client;
};

/** Ours in its default configuration; the comparison changes numbers only. */
const ours: Contender = async (url, prefix, { tenant, user }) => {
  const redis = createRedis(
    { url, keyPrefix: prefix },
    { info: () => undefined, warn: () => undefined },
  );
  const bucket = 'authentication_methods_read';
  const overrides = { [bucket]: { tenantPerSecond: tenant, userPerMinute: user } };
  const limiter = createLimiter({ tenant: prefix, plan: 'enterprise', overrides }, redis);
  await limiter.take({ user: 'nobody', bucket });
  return {
    admit: async (who) => (await limiter.take({ user: who, bucket })).admitted,
    told: (who, status, headers) => {
      limiter.feedback({ user: who, bucket, status, headers });
    },
    async close() {
      await limiter.close();
      await redis.close();
    },
  };
};

/** What nextjs-auth0 and its like do. */
const none: Contender = () =>
  Promise.resolve({ admit: () => Promise.resolve(true), close: () => Promise.resolve() });

/** INCR and EXPIRE on a key per second and per minute. */
const fixedWindow: Contender = (url, prefix, { tenant, user }) => {
  const client = connect(url);
  const hit = async (name: string, seconds: number): Promise<number> => {
    const key = `${prefix}${name}:${Math.floor(Date.now() / 1_000 / seconds)}`;
    const results = await client.multi().incr(key).expire(key, seconds).exec();
    return Number(results?.[0]?.[1]);
  };
  const admit = async (who: string) =>
    (await hit(`user:${who}`, 60)) <= user && (await hit('tenant', 1)) <= tenant;
  return Promise.resolve({ admit, close: end(client) });
};

/** Two of its middlewares before the route, as its guide shows. */
const expressRateLimit: Contender = async (url, prefix, { tenant, user }) => {
  const client = connect(url);
  const limit = (name: string, windowMs: number, max: number, key: (who: string) => string) =>
    rateLimit({
      windowMs,
      limit: max,
      keyGenerator: (req) => key(String(req.headers['user'])),
      store: new RedisStore({
        prefix: `${prefix}${name}:`,
        sendCommand: (command, ...args) => client.call(command, ...args) as Promise<string>,
      }),
    });
  const app = express();
  app.use(limit('user', 60_000, user, (who) => who));
  app.use(limit('tenant', 1_000, tenant, () => 'tenant'));
  app.get('/', (_req, res) => void res.status(204).end());
  // Redis gone: its middleware passes the error on, and a gateway would answer 500.
  const failed: ErrorRequestHandler = (_error, _req, res, _next) => void res.status(500).end();
  app.use(failed);
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    async admit(who) {
      const answer = await fetch(`http://127.0.0.1:${port}`, { headers: { user: who } });
      await answer.arrayBuffer();
      return answer.status === 204;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await end(client)();
    },
  };
};

/** A user's counter, and a queue of 2.5 seconds before the tenant's: what it offers that comes nearest to waiting. */
const rateLimiterFlexible: Contender = (url, prefix, { tenant, user }) => {
  const client = connect(url);
  const users = new RateLimiterRedis({
    storeClient: client,
    keyPrefix: `${prefix}user`,
    points: user,
    duration: 60,
  });
  const all = new RateLimiterRedis({
    storeClient: client,
    keyPrefix: `${prefix}tenant`,
    points: tenant,
    duration: 1,
  });
  const queue = new RateLimiterQueue(all, { maxQueueSize: Math.ceil(tenant * 2.5) });
  const admit = (who: string) =>
    users
      .consume(who)
      .then(() => queue.removeTokens(1))
      .then(
        () => true,
        () => false,
      );
  return Promise.resolve({ admit, close: end(client) });
};

/** Side by side, by the name they have in the tables. */
export const contenders: Readonly<Record<string, Contender>> = {
  'this gateway': ours,
  'no limiter': none,
  'fixed window in Redis': fixedWindow,
  'express-rate-limit': expressRateLimit,
  'rate-limiter-flexible': rateLimiterFlexible,
};
