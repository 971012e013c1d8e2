import { Agent } from 'node:http';
import express from 'express';
import { rateLimit } from 'express-rate-limit';
import session, { Store, type SessionData } from 'express-session';
import helmet from 'helmet';
import { createProxyMiddleware } from 'http-proxy-middleware';
import { Redis } from 'ioredis';
import { RedisStore as RateStore } from 'rate-limit-redis';
import { secrets } from './seed.ts';

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
  override set(sid: string, data: SessionData, done: (error?: unknown) => void = () => undefined): void {
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
export const startUsual = ({ port, upstream, redisUrl }: { port: number; upstream: string; redisUrl: string }): void => {
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
      store: new RateStore({ sendCommand: (command: string, ...args: string[]) => redis.call(command, ...args) as Promise<number> }),
    }),
  );
  app.use((req, _res, next) => {
    req.headers.authorization = `Bearer ${req.session.tokens?.access_token ?? ''}`;
    delete req.headers.cookie;
    next();
  });
  app.use(
    createProxyMiddleware({ target: upstream, changeOrigin: true, pathRewrite: { '^/api': '' }, agent: new Agent({ keepAlive: true }) }),
  );
  app.listen(port, '127.0.0.1');
};
