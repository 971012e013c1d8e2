import { afterEach, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../helpers/gateway.ts';
import { startProgram, type Running } from '../helpers/process.ts';
import { startRawDevServer, type RawDevServer } from '../helpers/raw-dev-server.ts';
import { exchangeRaw, lines, openRaw, statusOf } from '../helpers/raw-socket.ts';

let dev: RawDevServer | undefined;
let program: Running<unknown> | undefined;
afterEach(async () => {
  await program?.kill();
  await dev?.close();
  [dev, program] = [undefined, undefined];
});

const page =
  lines('HTTP/1.1 200 OK', 'Content-Type: text/html', 'Content-Length: 3', 'Connection: close') +
  'dev';

/** A gateway as `start` runs it, in a process of its own, and one page that it has served. */
const startAlone = async (settings: Record<string, string> = {}) => {
  const port = await freePort();
  program = await startProgram(['start'], {
    AUTH0_DOMAIN: 'http://127.0.0.1:9',
    AUTH0_CLIENT_ID: 'client',
    AUTH0_CLIENT_SECRET: 'a secret of the tests',
    AUTH0_SECRET: 'a secret of the tests that is long enough to seal with',
    APP_BASE_URL: `http://localhost:${port}`,
    PORT: String(port),
    ADMIN_PORT: '0',
    ...settings,
  });
  const get = async (path: string) =>
    statusOf(
      await exchangeRaw(
        port,
        lines(`GET ${path} HTTP/1.1`, `Host: localhost:${port}`, 'Connection: close'),
      ),
    );
  return { port, get, program };
};
const upgrade = (port: number, path: string, ...more: string[]): string =>
  lines(
    `GET ${path} HTTP/1.1`,
    `Host: localhost:${port}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...more,
  );
const fifty = Array.from({ length: 50 }, (_, index) => index);

describe('behind WEB_ORIGIN', () => {
  const withDev = async () => {
    dev = await startRawDevServer();
    dev.answers(page);
    const alone = await startAlone({ WEB_ORIGIN: dev.url });
    expect(await alone.get('/')).toBe(200);
    return { ...alone, dev };
  };

  test('an upgrade of the gateway’s own routes is answered and closed, 50 of 50', async () => {
    const { port, get } = await withDev();
    const paths = ['/api/x', '/auth', '/auth/session', '/api/me/v1/factors', '/AUTH/login'];
    const answers = await Promise.all(
      fifty.map((index) =>
        exchangeRaw(
          port,
          upgrade(port, paths[index % paths.length] ?? '', `Origin: http://localhost:${port}`),
        ),
      ),
    );
    expect(answers.filter(({ closed }) => closed)).toHaveLength(50);
    expect(new Set(answers.map(statusOf))).toEqual(new Set([404]));
    expect(await get('/healthz')).toBe(200);
  });

  test('an upgrade that ends in a reset ends that connection alone', async () => {
    const { port, get, program: running } = await withDev();
    for (const path of ['/api/x', '/auth', '/page', '/auth/session']) {
      const socket = await openRaw(port, upgrade(port, path, `Origin: http://localhost:${port}`));
      socket.resetAndDestroy();
      expect([path, await get('/healthz')]).toEqual([path, 200]);
    }
    expect(await running.stop()).toBe(0);
  });

  test('an upgrade behind a request that is not answered yet ends nothing', async () => {
    const { port, get } = await withDev();
    const first = lines(
      'GET /auth/session HTTP/1.1',
      `Host: localhost:${port}`,
      'Cookie: my_account_session=x',
    );
    for (const path of ['/api/x', '/page']) {
      const { closed } = await exchangeRaw(
        port,
        first + upgrade(port, path, `Origin: http://localhost:${port}`),
      );
      expect([closed, await get('/healthz')]).toEqual([true, 200]);
    }
  });

  test('another site’s WebSocket, one without an Origin and one for another host are refused', async () => {
    const { port, dev: server } = await withDev();
    const before = server.requests.length;
    const ask = async (...more: string[]) =>
      statusOf(await exchangeRaw(port, upgrade(port, '/live', ...more)));
    expect(await ask('Origin: https://evil.example')).toBe(403);
    expect(await ask()).toBe(403);
    expect(await ask(`Origin: http://localhost:${port}`, 'Sec-Fetch-Site: cross-site')).toBe(403);
    const rebound = upgrade(port, '/live', 'Origin: http://evil.example').replace(
      `Host: localhost:${port}`,
      'Host: evil.example',
    );
    expect(statusOf(await exchangeRaw(port, rebound))).toBe(421);
    expect(server.requests).toHaveLength(before);
  });

  test('a WebSocket of the page goes through with its own headers only, and SIGTERM ends it', async () => {
    const { port, program: running, dev: server } = await withDev();
    server.answers((socket, request) => {
      socket.write(
        lines(
          'HTTP/1.1 101 Switching Protocols',
          'Connection: Upgrade',
          'Upgrade: websocket',
          'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
          'Set-Cookie: my_account_session=planted; Path=/',
          'X-Other: 1',
        ) + String(request.length),
      );
      socket.on('data', (more: string) => socket.write(`echo ${more}`));
    });
    const socket = await openRaw(
      port,
      upgrade(
        port,
        '/live',
        `Origin: http://localhost:${port}`,
        'Cookie: my_account_session=secret; theme=dark',
        'Expect: 100-continue',
        'X-Forwarded-For: 1.2.3.4',
      ),
    );
    let text = '';
    let said = false;
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await new Promise<void>((resolve) => {
      socket.setEncoding('latin1').on('data', (more: string) => {
        text += more;
        if (text.includes('\r\n\r\n') && !said) {
          said = true;
          socket.write('hello');
        }
        if (text.includes('echo hello')) resolve();
      });
      void closed.then(() => resolve());
    });
    expect(text).toMatch(/^HTTP\/1\.1 101 /);
    expect(text).toMatch(/echo hello$/);
    expect(text).not.toMatch(/set-cookie|x-other/i);
    const sent = server.requests.at(-1) ?? '';
    expect(sent).toMatch(/^cookie: theme=dark\r$/im);
    expect(sent).not.toMatch(/secret|expect|1\.2\.3\.4/i);
    expect(await running.stop()).toBe(0);
    await closed;
  });

  test('a dev server that does not switch, breaks off, or answers nonsense to an upgrade is one failure', async () => {
    const { port, get, dev: server } = await withDev();
    const ask = async () =>
      exchangeRaw(port, upgrade(port, '/live', `Origin: http://localhost:${port}`));
    for (const told of [
      page,
      lines('HTTP/1.1 099 Odd', 'Content-Length: 0'),
      lines('HTTP/1.1 200 a\u0001b', 'Set-Cookie: my_account_session=planted', 'Content-Length: 0'),
      lines(
        'HTTP/1.1 101 Switching Protocols',
        'Connection: Upgrade',
        'Upgrade: websocket',
        'X: \u0001\u0002',
      ),
      'nonsense\r\n\r\n',
      '',
    ]) {
      server.answers(told);
      const answer = await ask();
      expect([told, answer.closed]).toEqual([told, true]);
      expect(answer.text).not.toMatch(/planted/);
      expect(await get('/healthz')).toBe(200);
    }
  });

  test.each([
    ['status 099', lines('HTTP/1.1 099 Odd', 'Content-Length: 3') + 'odd'],
    ['status 000', lines('HTTP/1.1 000 Odd', 'Content-Length: 3') + 'odd'],
    ['status 999', lines('HTTP/1.1 999 Odd', 'Content-Length: 3') + 'odd'],
    ['status 101 without an upgrade', lines('HTTP/1.1 101 Odd', 'Content-Length: 3') + 'odd'],
  ])('a dev server’s %s is answered 502', async (_what, told) => {
    const { get, dev: server } = await withDev();
    server.answers(told);
    expect(await get('/page')).toBe(502);
    expect(await get('/healthz')).toBe(200);
  });

  test('a control character in the reason or in a header ends nothing', async () => {
    const { get, dev: server } = await withDev();
    for (const told of [
      lines('HTTP/1.1 200 a\u0001b', 'Content-Length: 2') + 'ok',
      lines('HTTP/1.1 200 a\u007fb\u00ff', 'Content-Length: 2') + 'ok',
      lines('HTTP/1.1 200 OK', 'X-Odd: a\u0001b', 'Content-Length: 2') + 'ok',
      lines('HTTP/1.1 200 OK', 'Content-Type: \u0001', 'Content-Length: 2') + 'ok',
    ]) {
      server.answers(told);
      expect([200, 502]).toContain(await get('/page'));
      expect(await get('/healthz')).toBe(200);
    }
  });
});

describe.each([['without a front end'], ['with WEB_ROOT']])('%s', (what) => {
  test('every upgrade is answered and closed, 50 of 50', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'front-'));
    writeFileSync(join(folder, 'index.html'), 'page');
    try {
      const {
        port,
        get,
        program: running,
      } = await startAlone(what === 'with WEB_ROOT' ? { WEB_ROOT: folder } : {});
      const paths = ['/api/x', '/auth/session', '/', '/live', '/auth/events'];
      const answers = await Promise.all(
        fifty.map((index) =>
          exchangeRaw(
            port,
            upgrade(port, paths[index % paths.length] ?? '', `Origin: http://localhost:${port}`),
          ),
        ),
      );
      expect(answers.filter(({ closed }) => closed)).toHaveLength(50);
      expect(new Set(answers.map(statusOf))).toEqual(new Set([404]));
      const socket = await openRaw(port, upgrade(port, '/live'));
      socket.resetAndDestroy();
      expect(await get('/healthz')).toBe(200);
      expect(await running.stop()).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
