import { createServer } from 'node:http';
import { afterEach, describe, expect, test } from '@jest/globals';
import express, { type Express, type RequestHandler } from 'express';
import session, { MemoryStore, type SessionOptions } from 'express-session';
import { createGateway } from '../../src/gateway/index.ts';
import { startTenant, type Tenant } from '../../src/tenant/index.ts';
import { freePort } from '../helpers/gateway.ts';
import { createPerson, type Person } from '../helpers/person.ts';

declare module 'express-session' {
  interface SessionData {
    basket?: string[];
    visits?: number;
  }
}

interface Host {
  readonly origin: string;
  readonly person: Person;
  readonly store: MemoryStore;
  /** What the host found on the request after the gateway's answer had ended. */
  readonly left: { path: string; session: boolean; sameStore: boolean; sameId: boolean }[];
}

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** An application with a session of its own and this gateway in it, the gateway before or after that session. */
const startHost = async (
  order: 'before' | 'after',
  options: Partial<SessionOptions> = {},
  instead?: RequestHandler,
): Promise<Host> => {
  const port = await freePort();
  const origin = `http://localhost:${port}`;
  const tenant: Tenant = await startTenant({
    clients: [
      {
        ...{ client_id: 'host', client_secret: 'a client secret of the tests' },
        callbacks: [`${origin}/auth/callback`],
        allowed_logout_urls: [`${origin}/`],
      },
    ],
  });
  ends.push(() => tenant.close());
  const gateway = createGateway({
    ...{ LOG_LEVEL: 'silent', AUTH0_DOMAIN: tenant.url, AUTH0_CLIENT_ID: 'host' },
    AUTH0_CLIENT_SECRET: 'a client secret of the tests',
    AUTH0_SECRET: 'a secret of the tests that is long enough to seal with',
    APP_BASE_URL: origin,
  });
  ends.push(() => gateway.close());
  const store = new MemoryStore();
  const own =
    instead ??
    session({
      secret: 'a secret of the host',
      resave: false,
      saveUninitialized: false,
      store,
      ...options,
    });
  const left: Host['left'] = [];
  const watch: RequestHandler = (req, res, next) => {
    // Before the host's own has run there is none.
    const before: unknown = Reflect.get(req, 'session');
    const { sessionID } = req;
    res.once('finish', () => {
      left.push({
        path: req.originalUrl.split('?')[0] ?? '',
        session: req.session === before,
        sameStore: before === undefined || req.sessionStore === store,
        sameId: req.sessionID === sessionID,
      });
    });
    next();
  };
  // What the host changes in the same request as the gateway answers is the host's to keep.
  const count: RequestHandler = (req, _res, next) => {
    req.session.visits = (req.session.visits ?? 0) + 1;
    next();
  };
  const mounted: RequestHandler = (req, res, next) => {
    if (/^\/(auth|api)\//.test(req.path)) gateway.app(req, res, next);
    else next();
  };
  const app: Express = express();
  for (const part of order === 'after'
    ? [own, count, watch, mounted]
    : [watch, mounted, own, count])
    app.use(part);
  app.get('/basket/:item', (req, res) => {
    req.session.basket = [...(req.session.basket ?? []), req.params.item];
    res.json(req.session.basket);
  });
  app.get(
    '/',
    (req, res) => void res.json({ basket: req.session.basket ?? [], visits: req.session.visits }),
  );
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(port, 'localhost', resolve));
  ends.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { origin, person: createPerson(origin, tenant.demoUser), store, left };
};

const cookieNames = async ({ person, origin }: Host): Promise<string[]> =>
  (await person.jar.getCookies(origin)).map(({ key }) => key).sort();
const basketOf = async ({ person }: Host): Promise<{ basket: string[]; visits: number }> =>
  (await person.call('GET', '/')).json() as { basket: string[]; visits: number };

describe.each(['before', 'after'] as const)(
  'a gateway mounted %s the session of its host',
  (order) => {
    test.each([
      ['as its makers advise', {}],
      [
        'that rolls and saves always',
        { rolling: true, resave: true, saveUninitialized: true, cookie: { maxAge: 600_000 } },
      ],
      ['that destroys what is unset', { unset: 'destroy' }],
    ] as const)(
      '%s: both sessions live through two sign-ins and a sign-out',
      async (_how, options) => {
        const host = await startHost(order, options);
        const { person } = host;
        await person.visit('/basket/apple');
        const { key, value } =
          (await person.jar.getCookies(host.origin)).find((each) => each.key === 'connect.sid') ??
          {};
        const id = decodeURIComponent(value ?? '');
        expect(key).toBe('connect.sid');

        expect((await person.signIn()).status).toBe(200);
        expect((await person.call('GET', '/auth/profile')).status).toBe(200);
        expect((await person.call('GET', '/api/me/v1/factors')).status).toBe(200);
        await person.visit('/basket/pear');
        expect((await person.signIn()).status).toBe(200);
        expect((await basketOf(host)).basket).toEqual(['apple', 'pear']);
        expect(await cookieNames(host)).toEqual(['connect.sid', 'my_account_session']);

        expect((await person.call('POST', '/auth/logout')).status).toBe(200);
        expect((await person.call('GET', '/auth/profile')).status).toBe(401);
        const { basket, visits } = await basketOf(host);
        expect(basket).toEqual(['apple', 'pear']);
        // After: every request passed the host's session, the gateway's own among them, and each was saved.
        expect(visits).toBeGreaterThan(order === 'after' ? 10 : 3);
        const now = (await person.jar.getCookies(host.origin)).find(
          (each) => each.key === 'connect.sid',
        );
        expect(decodeURIComponent(now?.value ?? '')).toBe(id);
        const kept = await new Promise<object>((resolve) => {
          host.store.all((_error, all) => {
            resolve(all ?? {});
          });
        });
        expect(Object.keys(kept)).toHaveLength(1);
      },
    );

    test('does not write to a session that the host keeps behind an accessor', async () => {
      const sealed: RequestHandler = (req, _res, next) => {
        const set = (): void => {
          throw new Error('the session of the host was set');
        };
        Object.defineProperty(req, 'session', {
          configurable: true,
          enumerable: true,
          get: () => ({ host: true }),
          set,
        });
        next();
      };
      const { person } = await startHost(order, {}, sealed);
      expect((await person.visit('/auth/login')).status).toBe(200);
      await person.signIn();
      expect((await person.call('GET', '/auth/profile')).status).toBe(200);
    });

    test('leaves session, sessionID and sessionStore of the host as they were on every answer', async () => {
      const host = await startHost(order);
      await host.person.visit('/basket/apple');
      await host.person.signIn();
      await host.person.call('POST', '/auth/logout');
      const own = host.left.filter(({ path }) => path.startsWith('/auth/'));
      expect(own.map(({ path }) => path)).toEqual(
        expect.arrayContaining(['/auth/login', '/auth/callback', '/auth/logout']),
      );
      expect(own.filter((each) => !each.session || !each.sameStore || !each.sameId)).toEqual([]);
    });
  },
);
