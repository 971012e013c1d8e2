import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import {
  connect as connectHttp2,
  constants,
  createSecureServer,
  type Http2SecureServer,
} from 'node:http2';
import { request as requestHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import express, { type Express, type Response } from 'express';
import request from 'supertest';
import { createGateway, type Gateway } from '../../src/gateway/index.ts';
import { certificate } from '../helpers/certificate.ts';
import { startWorld, type World } from '../helpers/world.ts';

const settings = {
  LOG_LEVEL: 'silent',
  AUTH0_DOMAIN: 'http://127.0.0.1:9',
  AUTH0_CLIENT_ID: 'client',
  AUTH0_CLIENT_SECRET: 'a secret of the tests',
  AUTH0_SECRET: 'a secret of the tests that is long enough to seal with',
  APP_BASE_URL: 'http://localhost:3000',
};
const hostPaths = [
  '/',
  '/account',
  '/api',
  '/api/',
  '/api/orders',
  '/api/mean',
  '/auth',
  '/auth/other',
  '/authentic',
  '/auth/callbacks',
];
const answer = (_req: unknown, res: Response): void => void res.set('X-Host', 'yes').send('host');
const places: Record<string, (host: Express, gateway: Gateway) => void> = {
  first(host, { app }) {
    host.use(app);
    host.get(hostPaths, answer);
  },
  'in the middle'(host, { app }) {
    host.get(hostPaths.slice(0, 5), answer);
    host.use(app);
    host.get(hostPaths.slice(5), answer);
  },
  last(host, { app }) {
    host.get(hostPaths, answer);
    host.use(app);
  },
};

describe.each(Object.keys(places))('mounted %s in an Express application', (place) => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({
      host(gateway) {
        const host = express();
        places[place]?.(host, gateway);
        return host as RequestListener;
      },
    });
  });
  afterAll(async () => world.close());

  test('the host’s own routes answer as if it were not there', async () => {
    for (const path of hostPaths) {
      const { status, text, headers } = await request(world.origin).get(path);
      expect([path, status, text, headers['x-host'], headers['x-powered-by']]).toEqual([
        path,
        200,
        'host',
        'yes',
        'Express',
      ]);
      expect(
        Object.keys(headers).filter((name) => /security|x-request-id|x-frame/.test(name)),
      ).toEqual([]);
    }
  });

  test('an address that neither has is the host’s to answer', async () => {
    for (const path of [
      '/nothing',
      '/api/nothing',
      '/auth/nothing',
      '/auth/password',
      '/auth/mfa/verify',
    ]) {
      const { status, text } = await request(world.origin).get(path);
      expect([path, status, text.includes(`Cannot GET ${path}`)]).toEqual([path, 404, true]);
    }
  });

  test('somebody signs in, reads and signs out', async () => {
    const person = world.person();
    await person.signIn('/account');
    const read = await person.call('GET', '/api/me/v1/authentication-methods');
    expect(read.status).toBe(200);
    expect(read.json()).toHaveProperty('authentication_methods');
    expect((await person.call('GET', '/auth/session')).json()).toMatchObject({
      authenticated: true,
    });
    expect((await person.call('POST', '/auth/logout')).status).toBe(200);
    expect((await person.call('GET', '/api/me/v1/authentication-methods')).status).toBe(401);
  });
});

describe('a gateway', () => {
  let gateway: Gateway;
  beforeAll(() => {
    gateway = createGateway({ ...settings, AUTH0_PASSKEYS: 'true', AUTH0_PASSWORD_REALM: 'users' });
  });
  afterAll(async () => gateway.close());

  interface Layer {
    readonly route?: { readonly path: string | string[] };
    readonly handle: object;
  }
  const pathsOf = (stack: readonly Layer[], under = ''): string[] =>
    stack.flatMap(({ route, handle }) => {
      if (route === undefined)
        return 'stack' in handle ? pathsOf(handle.stack as Layer[], '/auth') : [];
      return [route.path].flat().map((path) => under + path);
    });

  test('answers every route of its own as a guest', async () => {
    const all = pathsOf(gateway.app.router.stack as Layer[]).map((path) =>
      path.replace('/auth/healthz', '/healthz').replace('/auth/readyz', '/readyz'),
    );
    expect(all).toEqual(
      expect.arrayContaining([
        '/auth/login',
        '/auth/sessions/:id',
        '/healthz',
        '/auth/mfa/verify',
        '/auth/password',
      ]),
    );
    const host = express().use(gateway.app);
    host.use((_req, res) => void res.status(418).end());
    const missed: string[] = [];
    for (const path of [
      ...new Set(all),
      '/api/me',
      '/api/me/',
      '/api/me/v1/factors',
      '/AUTH/Login',
      '/auth/login/',
    ])
      if ((await request(host).options(path.replace(':id', 'x'))).status === 418) missed.push(path);
    expect(missed).toEqual([]);
  });

  test('alone answers what it does not know as a problem', async () => {
    for (const path of ['/nothing', '/api/nothing', '/auth/nothing', '/']) {
      const answer = await request(gateway.app).get(path);
      const { headers } = answer;
      expect([path, answer.status, headers['content-type']]).toEqual([
        path,
        404,
        'application/problem+json; charset=utf-8',
      ]);
      expect(answer.body).toMatchObject({
        code: 'not_found',
        instance: `urn:uuid:${String(headers['x-request-id'])}`,
      });
      expect(headers['content-security-policy']).toContain("default-src 'none'");
    }
  });

  test('is a guest of a plain server as well: whatever is not its own goes on untouched', async () => {
    const seen: unknown[] = [];
    const server = createServer((req, res) => {
      const [before, names] = [Object.getPrototypeOf(req) as object, Object.keys(req)];
      gateway.app(req, res, (error) => {
        seen.push(
          error,
          Object.getPrototypeOf(req) === before,
          Object.keys(req).filter((name) => !names.includes(name)),
          res.getHeaderNames(),
        );
        res.end('host');
      });
    });
    expect((await request(server).get('/page')).text).toBe('host');
    expect(seen).toEqual([undefined, true, [], []]);
    expect((await request(server).get('/auth/session')).body).toMatchObject({
      authenticated: false,
    });
  });
});

describe('with WEB_ROOT', () => {
  let gateway: Gateway;
  const folder = mkdtempSync(join(tmpdir(), 'front-'));
  beforeAll(() => {
    writeFileSync(join(folder, 'index.html'), 'page');
    gateway = createGateway({ ...settings, WEB_ROOT: folder });
  });
  afterAll(async () => {
    await gateway.close();
    rmSync(folder, { recursive: true });
  });

  test('a file that the front end does not have is the host’s to answer, without a header of the gateway’s', async () => {
    const host = express().disable('x-powered-by').use(gateway.app);
    host.get('/other.js', (_req, res) => void res.send('host'));
    expect((await request(host).get('/index.html')).text).toBe('page');
    const other = await request(host).get('/other.js');
    expect([
      other.text,
      Object.keys(other.headers).filter((name) => /^x-|security|policy/.test(name)),
    ]).toEqual(['host', []]);
    expect((await request(host).get('/api/nothing')).text).toContain('Cannot GET');
    expect(
      (await request(gateway.app).get('/auth/nothing').set('Sec-Fetch-Mode', 'navigate')).status,
    ).toBe(404);
  });

  test.each(['navigate', 'cors'])(
    'a page of ours carries nothing of the file that could not be sent: %s',
    async (mode) => {
      const answer = await request(gateway.app)
        .get('/index.html')
        .set({ Range: 'bytes=900-', 'Sec-Fetch-Mode': mode });
      expect(answer.status).toBe(400);
      const names = ['etag', 'last-modified', 'content-range', 'accept-ranges'];
      expect(Object.keys(answer.headers).filter((name) => names.includes(name))).toEqual([]);
      expect(Number(answer.headers['content-length'])).toBe(Buffer.byteLength(answer.text));
    },
  );
});

describe('on an HTTP/2 server that falls back to HTTP/1', () => {
  let gateway: Gateway;
  let server: Http2SecureServer;
  let port: number;
  beforeAll(async () => {
    gateway = createGateway({ ...settings, APP_BASE_URL: 'https://localhost:3000' });
    server = createSecureServer({ ...certificate, allowHTTP1: true }, (req, res) => {
      // What Node's types do not say: the same listener is given requests of both kinds.
      Reflect.apply(
        gateway.app,
        undefined,
        req.url.startsWith('/guest') ? [req, res, () => res.end('host')] : [req, res],
      );
    });
    await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
    port = (server.address() as AddressInfo).port;
  });
  afterAll(async () => {
    server.close();
    await gateway.close();
  });

  test.each(['/auth/session', '/api/me/v1/factors', '/nothing', '/healthz'])(
    'a request for %s asks for HTTP/1.1 and ends nothing',
    async (path) => {
      const session = connectHttp2(`https://localhost:${port}`, { ca: certificate.cert });
      try {
        const stream = session.request({ ':path': path });
        const code = await new Promise<number | undefined>((resolve) => {
          stream.on('error', () => undefined).once('close', () => resolve(stream.rstCode));
          stream.end();
        });
        expect(code).toBe(constants.NGHTTP2_HTTP_1_1_REQUIRED);
      } finally {
        session.destroy();
      }
    },
  );

  test('what is the host’s is answered over HTTP/2, and the gateway’s own over HTTP/1.1', async () => {
    const session = connectHttp2(`https://localhost:${port}`, { ca: certificate.cert });
    const stream = session.request({ ':path': '/guest' });
    let text = '';
    for await (const part of stream.setEncoding('utf8')) text += String(part);
    session.destroy();
    expect(text).toBe('host');
    const status = await new Promise((resolve, reject) => {
      requestHttps(
        { port, host: 'localhost', path: '/auth/session', ca: certificate.cert },
        (res) => resolve(res.resume().statusCode),
      )
        .on('error', reject)
        .end();
    });
    expect(status).toBe(200);
  });
});
