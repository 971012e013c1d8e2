import { createServer as createPlain, type RequestListener, type Server } from 'node:http';
import { createServer as createSecure } from 'node:https';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { createGateway, type Gateway } from '../../src/gateway/index.ts';
import { newTicket } from '../../src/gateway/session/ticket.ts';
import { startTenant, type Tenant } from '../../src/tenant/index.ts';
import { certificate } from '../helpers/certificate.ts';
import { startChromium } from '../helpers/chromium.ts';
import { freePort } from '../helpers/gateway.ts';

const password = 'password-of-the-attacker';
const listen = async (server: Server, port: number): Promise<void> =>
  new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
const close = async (server: Server): Promise<void> => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
};

/** A gateway of one origin, a site beside it under the same domain that plants cookies, and two people. */
interface Neighbourhood {
  readonly origin: string;
  readonly victim: {
    readonly context: BrowserContext;
    readonly page: Page;
    readonly email: string;
  };
  /** Signs the attacker in and answers what their browser keeps: a session of their own. */
  attack(): Promise<string>;
  /** The Cookie headers of the requests for a path. */
  sent(path: string): string[];
  /** The victim visits the neighbour, who plants this. */
  plant(...cookies: string[]): Promise<void>;
  /** What the gateway says to the victim's browser at an address, as text. */
  read(path: string): Promise<{ status: number; text: string }>;
  close(): Promise<void>;
}

const settle = async (
  scheme: 'http' | 'https',
  domain: string,
  name: string,
): Promise<Neighbourhood> => {
  const [port, besides] = [await freePort(), await freePort()];
  const origin = `${scheme}://app.${domain}:${port}`;
  const secret = 'a client secret of the tests';
  const tenant: Tenant = await startTenant({
    clients: [{ client_id: 'app', client_secret: secret, callbacks: [`${origin}/auth/callback`] }],
  });
  const gateway: Gateway = createGateway({
    ...{
      LOG_LEVEL: 'silent',
      AUTH0_DOMAIN: tenant.url,
      AUTH0_CLIENT_ID: 'app',
      AUTH0_CLIENT_SECRET: secret,
    },
    AUTH0_SECRET: 'a secret of the tests that is long enough to seal with',
    APP_BASE_URL: origin,
  });
  const requests: { path: string; cookie: string }[] = [];
  const listener: RequestListener = (req, res) => {
    requests.push({ path: req.url ?? '', cookie: req.headers.cookie ?? '' });
    gateway.app(req, res);
  };
  const server = scheme === 'https' ? createSecure(certificate, listener) : createPlain(listener);
  let planted: string[] = [];
  // Its page alone plants: the browser asks for an icon besides, whenever it likes.
  const neighbour = createPlain(
    (req, res) =>
      void res.writeHead(200, req.url === '/' ? { 'set-cookie': planted } : {}).end('hello'),
  );
  await Promise.all([listen(server, port), listen(neighbour, besides)]);
  const browser: Browser = await startChromium(`--host-resolver-rules=MAP *.${domain} 127.0.0.1`);

  const signIn = async (page: Page, email: string, word: string): Promise<void> => {
    await page.goto(`${origin}/auth/login?returnTo=/auth/profile`);
    await page.fill('[name=username]', email);
    await page.fill('[name=password]', word);
    await page.locator('button[type=submit]').first().click();
    await page.waitForURL(`${origin}/auth/profile`);
  };
  const open = async (): Promise<{ context: BrowserContext; page: Page }> => {
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    return { context, page };
  };

  const [made] = tenant.users.add({ count: 1, password });
  const victim = { ...(await open()), email: tenant.demoUser.email };
  await signIn(victim.page, tenant.demoUser.email, tenant.demoUser.password);
  return {
    origin,
    victim,
    async attack() {
      const attacker = await open();
      await signIn(attacker.page, made?.email ?? '', password);
      const own = (await attacker.context.cookies()).find((each) => each.name === name);
      await attacker.context.close();
      if (own === undefined) throw new Error('the attacker is not signed in');
      return own.value;
    },
    sent: (path) => requests.filter((each) => each.path === path).map(({ cookie }) => cookie),
    async plant(...cookies) {
      planted = cookies;
      await victim.page.goto(`http://evil.${domain}:${besides}/`);
    },
    async read(path) {
      const answer = await victim.page.goto(origin + path);
      return { status: answer?.status() ?? 0, text: (await victim.page.textContent('body')) ?? '' };
    },
    async close() {
      await browser.close();
      await Promise.all([close(server), close(neighbour)]);
      await gateway.close();
      await tenant.close();
    },
  };
};

describe('a neighbour under the same domain, https', () => {
  const name = '__Host-my_account_session';
  let place: Neighbourhood;
  beforeAll(async () => {
    place = await settle('https', 'acct.test', name);
  });
  afterAll(async () => place.close());

  test('cannot swap the session by a cookie of another name that holds it behind a space, on a longer path', async () => {
    const stolen = await place.attack();
    for (const path of ['/auth', '/auth/profile']) {
      await place.plant(`x=y ${name}=${stolen}; Domain=acct.test; Path=${path}`);
      const { status, text } = await place.read('/auth/profile');
      const sent = place.sent('/auth/profile').at(-1) ?? '';
      // The browser sends it, and first: the gateway is what holds.
      expect(sent).toMatch(
        new RegExp(`^x=y ${name}=${stolen.replaceAll(/[.*+?^$()|[\]\\{}]/g, '\\$&')}; .*${name}=`),
      );
      expect(status).toBe(200);
      expect(text).toContain(place.victim.email);
    }
  });
});

describe('a neighbour under the same domain, plain http on this machine', () => {
  const name = 'my_account_session';
  let place: Neighbourhood;
  beforeAll(async () => {
    place = await settle('http', 'acct.localhost', name);
  });
  afterAll(async () => place.close());

  // The tenant remembers its user: a second sign-in asks nothing.
  const again = async (): Promise<void> => {
    await place.victim.page.goto(`${place.origin}/auth/login?returnTo=/auth/profile`);
    await place.victim.page.waitForURL(`${place.origin}/auth/profile`);
  };
  const names = async (): Promise<string[]> =>
    (await place.victim.context.cookies()).map((each) => each.name);

  test('who plants a second cookie of the name is believed in nothing: a page says so, and both are gone', async () => {
    await place.plant(`${name}=${await place.attack()}; Domain=acct.localhost; Path=/api/me/v1`);
    const refused = await place.read('/api/me/v1/factors');
    expect(place.sent('/api/me/v1/factors').at(-1)?.split(`${name}=`)).toHaveLength(3);
    expect(refused.status).toBe(400);
    expect(refused.text).toContain(`delete the cookies named "${name}" of app.acct.localhost`);
    expect(await names()).not.toContain(name);
    const back = place.victim.page.waitForResponse((answer) =>
      answer.url().includes('/auth/callback?'),
    );
    await place.victim.page.locator('a', { hasText: 'Sign in again' }).click();
    expect((await back).status()).toBe(303);
    expect((await place.read('/auth/profile')).text).toContain(place.victim.email);
  });

  const unreachable = (value: string, path: string): string =>
    `${name}=${value}; Domain=acct.localhost; Path=${path}; Secure; Partitioned; SameSite=None`;

  test('who plants one that no answer can clear is not believed afterwards either: its session has ended', async () => {
    const stolen = await place.attack();
    await place.plant(unreachable(stolen, '/auth/profile'));
    expect((await place.read('/auth/profile')).status).toBe(400);
    expect(
      await place.victim.page.evaluate("fetch('/auth/profile').then(({ status }) => status)"),
    ).toBe(401);
    expect(place.sent('/auth/profile').at(-1)).toBe(`${name}=${stolen}`);
    await again();
    const own = await place.read('/auth/profile');
    expect(place.sent('/auth/profile').at(-1)).toContain(stolen);
    expect(own.text).toContain(place.victim.email);
  });

  test('who plants a crowd that no answer can clear locks nobody out without a word: the page says what to delete, and that is enough', async () => {
    const forged = (path: string): string =>
      unreachable(`s%3A${newTicket()}.${'a'.repeat(43)}`, path);
    await place.plant(...['/', '/auth', '/auth/', '/auth/profile'].map(forged));
    for (let round = 0; round < 2; round += 1) {
      const refused = await place.read('/auth/profile');
      expect(refused.status).toBe(400);
      expect(refused.text).toContain(`delete the cookies named "${name}"`);
      await place.victim.page.goto(`${place.origin}/auth/login?returnTo=/`);
    }
    await place.victim.context.clearCookies({ name });
    await again();
    const own = await place.read('/auth/profile');
    expect(own.status).toBe(200);
    expect(own.text).toContain(place.victim.email);
  });
});
