// One of the arrangements the gateway is measured beside: `UPSTREAM=URL REDIS_URL=URL TENANT=URL node bench/proxy/servers.ts bare|usual|eoc PORT`.
// All answer /up themselves.
import express from 'express';
import { auth } from 'express-openid-connect';
import { rateLimit } from 'express-rate-limit';
import session, { type SessionData, Store } from 'express-session';
import helmet from 'helmet';
import { createProxyMiddleware } from 'http-proxy-middleware';
import { Redis } from 'ioredis';
import { Agent, createServer, request } from 'node:http';
import { RedisStore as RateStore } from 'rate-limit-redis';
import { application, secrets, signInScope } from './tenant.ts';

declare module 'express-session' {
  interface SessionData {
    tokens?: { access_token: string };
  }
}

/** A store of sessions as JSON in Redis, as the packages that do this are written; express-session and express-openid-connect take it alike. */
export class JsonStore extends Store {
  readonly #redis: Redis;
  constructor(redis: Redis) {
    super();
    this.#redis = redis;
  }
  override get(sid: string, done: (error: unknown, data?: SessionData | null) => void): void {
    this.#redis.get(`sess:${sid}`).then((text) => {
      done(null, text === null ? null : (JSON.parse(text) as SessionData));
    }, done);
  }
  override set(
    sid: string,
    data: SessionData,
    done: (error?: unknown) => void = () => undefined,
  ): void {
    this.#redis.set(`sess:${sid}`, JSON.stringify(data), 'EX', 86_400).then(() => {
      done();
    }, done);
  }
  override destroy(sid: string, done: (error?: unknown) => void = () => undefined): void {
    this.#redis.del(`sess:${sid}`).then(() => {
      done();
    }, done);
  }
  override touch(sid: string, _data: SessionData, done: () => void = () => undefined): void {
    this.#redis.expire(`sess:${sid}`, 86_400).then(() => {
      done();
    }, done);
  }
}

/** The same packages put together as their own documentation does: helmet, express-session over Redis, a counter in Redis, http-proxy-middleware. */
export const startUsual = ({
  port,
  upstream,
  redisUrl,
}: {
  port: number;
  upstream: string;
  redisUrl: string;
}): void => {
  const redis = new Redis(redisUrl);
  const app = express();
  app.get('/up', (_req, res) => void res.end());
  app.use(helmet());
  app.use(
    session({
      name: 'usual',
      secret: secrets.usual,
      store: new JsonStore(redis),
      resave: false,
      saveUninitialized: false,
      cookie: { maxAge: 86_400_000 },
    }),
  );
  app.use(
    rateLimit({
      windowMs: 1_000,
      limit: 1_000_000,
      standardHeaders: 'draft-8',
      legacyHeaders: false,
      keyGenerator: (req) => req.sessionID,
      store: new RateStore({
        sendCommand: (command: string, ...args: string[]) =>
          redis.call(command, ...args) as Promise<number>,
      }),
    }),
  );
  app.use((req, _res, next) => {
    req.headers.authorization = `Bearer ${req.session.tokens?.access_token ?? ''}`;
    delete req.headers.cookie;
    next();
  });
  app.use(
    createProxyMiddleware({
      target: upstream,
      changeOrigin: true,
      pathRewrite: { '^/api': '' },
      agent: new Agent({ keepAlive: true }),
    }),
  );
  app.listen(port, '127.0.0.1');
};

/** express-openid-connect with its session in Redis, and the proxy behind it that sends the access token: what Auth0's documentation shows for Express. */
export const startEoc = (to: {
  port: number;
  upstream: string;
  redisUrl: string;
  tenant: string;
}): void => {
  const { port, upstream, redisUrl, tenant } = to;
  const app = express();
  app.get('/up', (_req, res) => void res.end());
  app.use(
    auth({
      issuerBaseURL: tenant,
      baseURL: `http://localhost:${port}`,
      clientID: application.id,
      clientSecret: application.secret,
      clientAuthMethod: 'client_secret_post',
      secret: 'the secret of express-openid-connect',
      authRequired: true,
      authorizationParams: {
        response_type: 'code',
        response_mode: 'query',
        scope: signInScope,
        audience: `${tenant}/me/`,
      },
      session: { store: new JsonStore(new Redis(redisUrl)) as never },
    }),
  );
  app.get('/home', (req, res) => void res.json(req.oidc.user));
  app.use((req, _res, next) => {
    req.headers.authorization = `Bearer ${req.oidc.accessToken?.access_token ?? ''}`;
    delete req.headers.cookie;
    next();
  });
  app.use(
    createProxyMiddleware({
      target: upstream,
      changeOrigin: true,
      pathRewrite: { '^/api': '' },
      agent: new Agent({ keepAlive: true }),
    }),
  );
  app.listen(port, '127.0.0.1');
};

const [kind = '', port = '0'] = process.argv.slice(2);
const upstream = process.env['UPSTREAM'] ?? '';

/** The least a reverse proxy in Node can do: the yardstick of all ratios. */
const startBare = (): void => {
  const agent = new Agent({ keepAlive: true });
  const { hostname, port: to } = new URL(upstream);
  createServer((req, res) => {
    if (req.url === '/up') {
      res.end();
      return;
    }
    const onward = request(
      { hostname, port: to, path: req.url, method: req.method, headers: req.headers, agent },
      (answer) => {
        res.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
        answer.pipe(res);
      },
    );
    onward.once('error', () => res.destroy());
    req.pipe(onward);
  }).listen(Number(port), '127.0.0.1');
};

const redisUrl = process.env['REDIS_URL'] ?? '';
const kinds: Record<string, () => void> = {
  bare: startBare,
  usual: () => startUsual({ port: Number(port), upstream, redisUrl }),
  eoc: () =>
    startEoc({ port: Number(port), upstream, redisUrl, tenant: process.env['TENANT'] ?? '' }),
};
kinds[kind]?.();
