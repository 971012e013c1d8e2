// One of the processes of the proxy benchmark: `node bench/proxy/servers.ts upstream|bare|usual PORT UPSTREAM REDIS`.
import { Agent, createServer, request } from 'node:http';
import express from 'express';
import session, { Store, type SessionData } from 'express-session';
import helmet from 'helmet';
import { createProxyMiddleware } from 'http-proxy-middleware';
import { Redis } from 'ioredis';

declare module 'express-session' {
  interface SessionData {
    tokens?: { access_token: string };
  }
}

const [kind = '', port = '0', upstream = '', redisUrl = ''] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true });

/** What the API answers: 650 bytes of JSON. */
const startUpstream = (): void => {
  const body = Buffer.from(JSON.stringify({ authentication_methods: [], filler: 'x'.repeat(610) }));
  createServer((_req, res) => {
    res.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
  }).listen(Number(port), '127.0.0.1');
};

/** The least a reverse proxy in Node can do: the yardstick of all ratios. */
const startBare = (): void => {
  const { hostname, port: to } = new URL(upstream);
  createServer((req, res) => {
    const onward = request({ hostname, port: to, path: req.url, method: req.method, headers: req.headers, agent }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(res);
    });
    onward.once('error', () => res.destroy());
    req.pipe(onward);
  }).listen(Number(port), '127.0.0.1');
};

/** The same packages put together as their own documentation does: helmet, express-session over Redis, a counter in Redis, http-proxy-middleware. */
const startUsual = (): void => {
  const redis = new Redis(redisUrl);
  class RedisStore extends Store {
    override get(sid: string, done: (error: unknown, data?: SessionData | null) => void): void {
      redis.get(`sess:${sid}`).then((text) => {
        done(null, text === null ? null : (JSON.parse(text) as SessionData));
      }, done);
    }
    override set(sid: string, data: SessionData, done: (error?: unknown) => void = () => undefined): void {
      redis.set(`sess:${sid}`, JSON.stringify(data), 'EX', 86_400).then(() => {
        done();
      }, done);
    }
    override destroy(sid: string, done: (error?: unknown) => void = () => undefined): void {
      redis.del(`sess:${sid}`).then(() => {
        done();
      }, done);
    }
    override touch(sid: string, _data: SessionData, done: () => void = () => undefined): void {
      redis.expire(`sess:${sid}`, 86_400).then(done, done);
    }
  }
  const app = express();
  app.use(helmet());
  app.use(
    session({ name: 'usual', secret: 'the secret of the usual way', store: new RedisStore(), resave: false, saveUninitialized: false }),
  );
  app.use(async (_req, res, next) => {
    const second = Math.floor(Date.now() / 1000);
    const count = await redis.incr(`limit:${second}`);
    if (count === 1) await redis.expire(`limit:${second}`, 2);
    if (count > 1_000_000) res.sendStatus(429);
    else next();
  });
  app.use((req, _res, next) => {
    req.headers.authorization = `Bearer ${req.session.tokens?.access_token ?? ''}`;
    delete req.headers.cookie;
    next();
  });
  app.use(createProxyMiddleware({ target: upstream, changeOrigin: true, agent }));
  app.listen(Number(port), '127.0.0.1');
};

const kinds: Record<string, () => void> = { upstream: startUpstream, bare: startBare, usual: startUsual };
kinds[kind]?.();
