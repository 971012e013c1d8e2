import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { settings } from '../../config/settings.ts';
import { freePort } from '../helpers/gateway.ts';
import { nginxPath, startNginx } from '../helpers/nginx.ts';
import { startProgram } from '../helpers/process.ts';
import { until } from '../helpers/until.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A gateway in a process of its own; what is asked of it here needs no tenant. */
const startGateway = async (port: number, more: Record<string, string> = {}) => {
  const gateway = await startProgram(['start'], {
    AUTH0_DOMAIN: '127.0.0.1:1',
    AUTH0_CLIENT_ID: 'drain',
    AUTH0_CLIENT_SECRET: 'drain',
    AUTH0_SECRET: 'x'.repeat(32),
    APP_BASE_URL: `http://localhost:${port}`,
    PORT: String(port),
    ADMIN_PORT: '0',
    ...more,
  });
  ends.push(() => gateway.kill());
  return gateway;
};

/** The status and `Connection` of an answer; status 0 where there is none. */
const look = async (url: string, init?: RequestInit) => {
  try {
    const answer = await fetch(url, init);
    await answer.arrayBuffer();
    return { status: answer.status, connection: answer.headers.get('connection') };
  } catch {
    return { status: 0, connection: null };
  }
};

test('until the drain delay is over everything is answered, with Connection: close, and both /readyz say 503', async () => {
  const [port, adminPort] = [await freePort(), await freePort()];
  const gateway = await startGateway(port, {
    ADMIN_PORT: String(adminPort),
    DRAIN_DELAY_SECONDS: '600',
  });
  const [front, admin] = [`http://localhost:${port}`, `http://127.0.0.1:${adminPort}`];
  expect(await look(`${front}/readyz`)).toEqual({ status: 200, connection: 'keep-alive' });
  process.kill(gateway.pid, 'SIGTERM');
  expect(await until(async () => (await look(`${front}/readyz`)).status === 503)).toBe(true);
  expect((await look(`${admin}/readyz`)).status).toBe(503);
  for (const path of [
    '/auth/session',
    '/healthz',
    '/readyz',
    '/api/me/v1/authentication-methods',
    '/nowhere',
  ])
    expect(await look(front + path)).toEqual({ status: expect.any(Number), connection: 'close' });
  expect((await look(`${front}/auth/session`)).status).toBe(200);
  expect((await look(`${admin}/healthz`)).status).toBe(200);
});

test('what was under way when the listener closed is answered, with Connection: close, and then the process ends with 0', async () => {
  const port = await freePort();
  const gateway = await startGateway(port);
  const socket = connect(port, 'localhost');
  ends.push(() => socket.destroy());
  let heard = '';
  socket.setEncoding('utf8').on('data', (text: string) => (heard += text));
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const form = 'Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 7';
  // Two requests on one connection: the first answer shows that the head of the second is on its way.
  socket.write(`GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  expect(await until(() => heard.includes('"ok"'))).toBe(true);
  socket.write(`POST /auth/backchannel-logout HTTP/1.1\r\nHost: localhost\r\n${form}\r\n\r\na=1`);
  const ended = gateway.stop();
  expect(
    await until(async () => (await look(`http://localhost:${port}/healthz`)).status === 0),
  ).toBe(true);
  socket.write('&b=2');
  await closed;
  expect(heard).toMatch(/HTTP\/1.1 400 .*\r\n(.*\r\n)*Connection: close\r\n/);
  expect(await ended).toBe(0);
});

test('the stack gives a gateway more time to stop than its drain takes', () => {
  const text = readFileSync(join(import.meta.dirname, '../../docker-compose.yml'), 'utf8');
  const { services } = parse(text, { merge: true }) as {
    services: Record<string, { stop_grace_period?: string }>;
  };
  const [, seconds] = /^(\d+)s$/.exec(services['gateway-1']?.stop_grace_period ?? '') ?? [];
  const drain =
    settings.DRAIN_DELAY_SECONDS.check.parse(undefined) +
    settings.DRAIN_SECONDS.check.parse(undefined);
  expect(Number(seconds)).toBeGreaterThan(drain);
});

const openNginx = async (gateways: readonly number[]): Promise<string> => {
  const folder = mkdtempSync(join(tmpdir(), 'drain-'));
  ends.push(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  const nginx = await startNginx({ folder, port: await freePort(), gateways });
  ends.push(() => nginx.stop());
  return nginx.url;
};

// Where nginx is missing its tests are not there, and that is said aloud.
const withNginx = (name: string, run: () => Promise<void>): void => {
  if (nginxPath !== undefined) test(name, run, 60_000);
  else
    process.stderr.write(
      `\nnginx is not installed (apt-get install -y nginx), so this was not tried: ${name}\n`,
    );
};

withNginx(
  'three gateways restarted one after another behind nginx: no request fails, even without any delay',
  async () => {
    const ports = [await freePort(), await freePort(), await freePort()];
    const gateways = await Promise.all(ports.map(async (port) => startGateway(port)));
    const url = await openNginx(ports);
    const statuses: number[] = [];
    let over = false;
    const using = Array.from({ length: 6 }, async () => {
      while (!over) statuses.push((await look(`${url}/auth/session`)).status);
    });
    const asked = async (more: number): Promise<boolean> => {
      const so = statuses.length;
      return until(() => statuses.length >= so + more);
    };
    for (const [index, gateway] of gateways.entries()) {
      expect(await asked(100)).toBe(true);
      expect(await gateway.stop()).toBe(0);
      // While it is away.
      expect(await asked(100)).toBe(true);
      await startGateway(ports[index] ?? 0);
    }
    expect(await asked(100)).toBe(true);
    over = true;
    await Promise.all(using);
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
  },
);

withNginx(
  'a gateway that ends in the middle of a request: a read goes to the next one, a write is not sent a second time',
  async () => {
    const seen = { broken: 0, good: 0 };
    const open = async (which: keyof typeof seen): Promise<number> => {
      const server = createServer((req, res) => {
        req.resume().once('end', () => {
          if (req.url === '/healthz') return res.end('{}');
          seen[which] += 1;
          return which === 'good' ? res.end('{}') : req.socket.destroy();
        });
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      ends.push(() => server.close());
      ends.push(() => server.closeAllConnections());
      return (server.address() as AddressInfo).port;
    };
    const url = await openNginx([await open('broken'), await open('good')]);
    for (let i = 0; i < 6; i += 1) expect((await look(`${url}/auth/session`)).status).toBe(200);
    expect(seen).toEqual({ broken: expect.any(Number), good: 6 });
    expect(seen.broken).toBeGreaterThan(0);
    // The broken one is asked again after a second.
    Object.assign(seen, { broken: 0, good: 0 });
    let sent = 0;
    const writes: number[] = [];
    const wrote = async (): Promise<boolean> => {
      sent += 1;
      writes.push((await look(`${url}/auth/session`, { method: 'POST', body: 'x' })).status);
      return seen.broken > 0;
    };
    expect(await until(wrote)).toBe(true);
    expect(seen.broken + seen.good).toBe(sent);
    expect(writes.filter((status) => status === 502)).toHaveLength(seen.broken);
  },
);
