import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startGateway, type Listening } from '../helpers/gateway.ts';
import { startRawDevServer, type RawDevServer } from '../helpers/raw-dev-server.ts';
import { exchangeRaw, lines, statusOf } from '../helpers/raw-socket.ts';
import { startWorld, type World } from '../helpers/world.ts';

let world: World;
let dev: Server;
let seen: IncomingMessage[] = [];
beforeAll(async () => {
  dev = createServer((req, res) => {
    seen.push(req);
    res.setHeader('content-type', 'text/html').end(`dev ${req.url ?? ''}`);
  });
  await new Promise<void>((resolve) => dev.listen(0, '127.0.0.1', resolve));
  world = await startWorld({
    settings: { WEB_ORIGIN: `http://127.0.0.1:${(dev.address() as AddressInfo).port}` },
  });
});
afterAll(async () => {
  await world.close();
  dev.closeAllConnections();
  dev.close();
});

test('everything that is not the gateway’s own goes to the dev server, without the gateway’s cookies', async () => {
  const person = world.person();
  await person.signIn('/account');
  await person.jar.setCookie('theme=dark; Path=/', world.origin);
  seen = [];
  const page = await person.visit('/some/module.js?v=1');
  expect(page.text).toBe('dev /some/module.js?v=1');
  expect(seen.map(({ headers }) => headers.cookie)).toEqual(['theme=dark']);
});

test('what is the gateway’s own never goes there', async () => {
  seen = [];
  const person = world.person();
  for (const path of ['/api/nothing', '/auth/nothing', '/api/me/v1/unknown'])
    expect((await person.call('GET', path)).status).toBeGreaterThanOrEqual(400);
  expect(seen).toEqual([]);
});

test('a dev server that is gone is a clear failure', async () => {
  dev.closeAllConnections();
  await new Promise((resolve) => dev.close(resolve));
  const answer = await world.person().call('GET', '/index.html');
  expect(answer.status).toBe(502);
  expect(answer.json()).toMatchObject({ code: 'upstream_unreachable' });
});

describe('what crosses between a browser and the dev server', () => {
  let raw: RawDevServer;
  let gateway: Listening;
  let port: number;
  const ok = lines('HTTP/1.1 200 OK', 'Content-Length: 3', 'Connection: close') + 'dev';
  beforeAll(async () => {
    raw = await startRawDevServer();
    gateway = await startGateway({
      AUTH0_DOMAIN: 'http://127.0.0.1:9',
      AUTH0_CLIENT_ID: 'client',
      AUTH0_CLIENT_SECRET: 'a secret of the tests',
      AUTH0_SECRET: 'a secret of the tests that is long enough to seal with',
      WEB_ORIGIN: raw.url,
    });
    port = Number(new URL(gateway.url).port);
  });
  beforeEach(() => {
    raw.requests.length = 0;
    raw.answers(ok);
  });
  afterAll(async () => {
    await gateway.close();
    await raw.close();
  });
  const ask = (first: string, ...more: string[]) =>
    exchangeRaw(
      port,
      lines(`${first} HTTP/1.1`, `Host: localhost:${port}`, 'Connection: close', ...more),
    );
  const secret =
    'Cookie: theme=dark; my_account_session=secret; __Host-my_account_session=secret; a=b';

  test.each([
    ['GET', []],
    ['GET', ['Expect: 100-continue']],
    ['DELETE', ['Expect: 100-continue']],
    ['GET', ['Connection: cookie']],
  ])('no cookie of the gateway’s goes up: %s %j', async (method, more) => {
    expect(statusOf(await ask(`${method} /page`, secret, ...more))).toBe(200);
    expect(raw.requests).toHaveLength(1);
    expect(raw.requests[0]).toMatch(/^cookie: theme=dark; a=b\r$/im);
    expect(raw.requests[0]).not.toMatch(/secret|expect/i);
  });

  test('nothing goes up that is not on the list, and what the gateway says of the request is its own', async () => {
    const forged = [
      'X-Forwarded-For: 6.6.6.6',
      'X-Forwarded-Host: evil',
      'X_User: root',
      'Authorization: Bearer secret',
      'Proxy-Authorization: secret',
    ];
    await ask(
      'GET /page',
      ...forged,
      'X-HTTP-Method-Override: DELETE',
      'RSC: 1',
      'Accept: text/html',
      'TE: trailers',
      'Keep-Alive: 1',
    );
    expect(raw.requests).toHaveLength(1);
    const names = [...(raw.requests[0] ?? '').matchAll(/^([\w-]+):/gm)].map(([, name]) =>
      name?.toLowerCase(),
    );
    expect(names.toSorted()).toEqual(
      [
        'accept',
        'connection',
        'host',
        'rsc',
        'x-forwarded-for',
        'x-forwarded-host',
        'x-forwarded-proto',
      ].toSorted(),
    );
    expect(raw.requests[0]).toMatch(new RegExp(`^host: ${new URL(raw.url).host}\r$`, 'm'));
    expect(raw.requests[0]).toMatch(new RegExp(`^x-forwarded-host: localhost:${port}\r$`, 'm'));
    expect(raw.requests[0]).not.toMatch(/6\.6\.6\.6|evil|secret/);
  });

  test('a body of unknown length stays the body of its request', async () => {
    const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
    const chunked = `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`;
    for (const method of ['DELETE', 'POST', 'PUT', 'PATCH']) {
      raw.requests.length = 0;
      const head = lines(
        `${method} /page HTTP/1.1`,
        `Host: localhost:${port}`,
        'Connection: close',
        'Transfer-Encoding: chunked',
      );
      expect(statusOf(await exchangeRaw(port, head + chunked))).toBe(200);
      expect(raw.requests).toHaveLength(1);
      expect(raw.requests[0]).toMatch(/^transfer-encoding: chunked\r$/im);
    }
    for (const method of ['GET', 'HEAD', 'OPTIONS']) {
      raw.requests.length = 0;
      const head = lines(
        `${method} /page HTTP/1.1`,
        `Host: localhost:${port}`,
        'Transfer-Encoding: chunked',
      );
      const answer = await exchangeRaw(port, head + chunked);
      expect([method, statusOf(answer), answer.closed, raw.requests]).toEqual([
        method,
        400,
        true,
        [],
      ]);
    }
  });

  test.each(['evil.example', 'localhost', '127.0.0.1', 'localhost.evil.example', ''])(
    'a request for the host "%s" is not passed on',
    async (host) => {
      const answer = await exchangeRaw(
        port,
        lines('GET /src/secret.ts HTTP/1.1', `Host: ${host}`, 'Connection: close'),
      );
      expect(statusOf(answer)).toBe(421);
      expect(raw.requests).toEqual([]);
    },
  );

  test('no cookie of the gateway’s and no header of its own comes down', async () => {
    raw.answers(
      lines(
        ...[
          'HTTP/1.1 200 OK',
          'Content-Length: 3',
          'Connection: close, x-hop',
          'X-Hop: 1',
          'Keep-Alive: timeout=5',
        ],
        ...[
          'Set-Cookie: theme=light; Path=/',
          'Set-Cookie: my_account_session=planted',
          'Set-Cookie: =my_account_session=planted',
        ],
        ...[
          'Set-Cookie:  __Host-my_account_session =planted',
          'Set-Cookie: __HOST-MY_ACCOUNT_x=planted',
          'Set-Cookie: my_account_session',
        ],
        ...[
          'Strict-Transport-Security: max-age=0',
          'X-Frame-Options: ALLOWALL',
          'X-Request-Id: planted',
          'Clear-Site-Data: "*"',
        ],
        ...[
          'Access-Control-Allow-Origin: *',
          'Content-Security-Policy: script-src *',
          'X-Content-Type-Options: planted',
        ],
      ) + 'dev',
    );
    const { text } = await ask('GET /page');
    expect(text).toMatch(/^set-cookie: theme=light; Path=\/\r$/im);
    expect(text.match(/^set-cookie:/gim)).toHaveLength(1);
    expect(text).toMatch(/^content-security-policy: script-src \*\r$/im);
    expect(text).toMatch(/^x-frame-options: DENY\r$/im);
    expect(text).not.toMatch(
      /planted|max-age=0|ALLOWALL|clear-site|access-control|x-hop|timeout=5/i,
    );
  });

  test.each([
    [
      'status out of range',
      lines(
        'HTTP/1.1 700 Odd',
        'Content-Length: 90',
        'Content-Encoding: gzip',
        'Set-Cookie: a=planted',
      ) + 'x',
    ],
    [
      'two lengths',
      lines('HTTP/1.1 200 OK', 'Content-Length: 90', 'Content-Length: 3', 'Set-Cookie: a=planted') +
        'dev',
    ],
    ['nothing', ''],
  ])('a page of ours carries nothing of a broken answer: %s', async (_what, told) => {
    raw.answers(told);
    for (const mode of ['navigate', 'cors']) {
      const { text, closed } = await ask('GET /page', `Sec-Fetch-Mode: ${mode}`);
      const [head = '', body = ''] = text.split('\r\n\r\n');
      expect([closed, /^HTTP\/1\.1 502 /.test(head)]).toEqual([true, true]);
      expect(head).not.toMatch(/planted|gzip|length: 90/i);
      const length = /^content-length: (\d+)\r?$/im.exec(head)?.[1];
      if (length !== undefined) expect(Buffer.byteLength(body, 'latin1')).toBe(Number(length));
    }
  });

  test('an answer that breaks off breaks off, and never looks whole', async () => {
    raw.answers(lines('HTTP/1.1 200 OK', 'Content-Length: 90', 'Connection: close') + 'half');
    const { text, closed } = await ask('GET /page');
    expect(closed).toBe(true);
    expect(text).toMatch(/^content-length: 90\r$/im);
    expect(text).toMatch(/half$/);
  });
});
