import { Agent } from 'node:http';
import express from 'express';
import { auth } from 'express-openid-connect';
import { createProxyMiddleware } from 'http-proxy-middleware';
import { Redis } from 'ioredis';
import { application, signInScope } from './tenant.ts';
import { JsonStore } from './usual.ts';

/** express-openid-connect with its session in Redis, and the proxy behind it that sends the access token: what Auth0's documentation shows for Express. */
export const startEoc = (to: { port: number; upstream: string; redisUrl: string; tenant: string }): void => {
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
      authorizationParams: { response_type: 'code', response_mode: 'query', scope: signInScope, audience: `${tenant}/me/` },
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
    createProxyMiddleware({ target: upstream, changeOrigin: true, pathRewrite: { '^/api': '' }, agent: new Agent({ keepAlive: true }) }),
  );
  app.listen(port, '127.0.0.1');
};
