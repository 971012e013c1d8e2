import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import request from 'supertest';
import { openLimiter, raw, startGateway, startRawUpstream, startUpstream } from '../helpers/api.ts';
import { until } from '../helpers/until.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
const own = <T extends { close(): Promise<void> }>(part: T): T => {
  closing.push(() => part.close());
  return part;
};
const head = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n';

describe('when the API', () => {
  test('is down: 502 at once, nothing told of where it is, and the place in the budget goes back', async () => {
    const gone = await startUpstream();
    await gone.close();
    const spy = openLimiter();
    const gateway = own(await startGateway(gone.origin, { limiter: spy.limiter }));
    const answer = await request(gateway.origin).get('/api/me/v1/factors');
    expect(answer.status).toBe(502);
    expect(answer.body).toMatchObject({ code: 'upstream_unreachable' });
    expect(answer.text).not.toMatch(/127\.0\.0\.1|ECONN|\/me\/v1/);
    expect(spy.givenBack()).toBe(1);
  });

  test('does not accept the connection: 504 after the connect deadline', async () => {
    // A listening socket whose queue is full drops new connections in silence; an address that nobody routes does the same everywhere.
    const gateway = own(
      await startGateway('http://192.0.2.1:9', { connectMs: 100, answerMs: 600_000 }),
    );
    const answer = await request(gateway.origin).get('/api/me/v1/factors');
    expect([502, 504]).toContain(answer.status);
  });

  test('is silent: 504 after the answer deadline, its connection is closed and the place in the budget is spent', async () => {
    const upstream = own(await startUpstream(() => undefined));
    const spy = openLimiter();
    const gateway = own(
      await startGateway(upstream.origin, { answerMs: 100, limiter: spy.limiter }),
    );
    const answer = await request(gateway.origin).get('/api/me/v1/factors');
    expect(answer.status).toBe(504);
    expect(answer.body).toMatchObject({ code: 'upstream_timeout' });
    expect(spy.givenBack()).toBe(0);
    expect(await until(() => upstream.sockets.size === 0)).toBe(true);
  });

  test('never finishes its answer: 504, not a wait without end', async () => {
    const upstream = own(
      await startUpstream(
        (_req, res) => void res.writeHead(200, { 'content-type': 'application/json' }).write('{'),
      ),
    );
    const gateway = own(await startGateway(upstream.origin, { answerMs: 100 }));
    expect((await request(gateway.origin).get('/api/me/v1/factors')).status).toBe(504);
    expect(await until(() => upstream.sockets.size === 0)).toBe(true);
  });

  test('never finishes a long answer: the connection breaks', async () => {
    const upstream = own(
      await startUpstream(
        (_req, res) =>
          void res
            .writeHead(200, { 'content-type': 'application/json' })
            .write('x'.repeat(400_000)),
      ),
    );
    const gateway = own(await startGateway(upstream.origin, { answerMs: 200 }));
    await expect(request(gateway.origin).get('/api/me/v1/factors')).rejects.toThrow(
      /aborted|hang up/,
    );
    expect(await until(() => upstream.sockets.size === 0)).toBe(true);
  });

  const destroy = (socket: Socket): void => {
    socket.destroy();
  };
  test.each<[string, (socket: Socket) => void]>([
    ['before it reads', destroy],
    [
      'after the request',
      (socket) => {
        socket.once('data', () => {
          destroy(socket);
        });
      },
    ],
  ])('resets %s: 502', async (_name, onConnection) => {
    const upstream = own(await startRawUpstream(onConnection));
    const gateway = own(await startGateway(upstream.origin));
    const answer = await request(gateway.origin).get('/api/me/v1/factors');
    expect(answer.status).toBe(502);
    expect(answer.body).toMatchObject({ code: 'upstream_unreachable' });
  });

  test.each([
    ['of known length', `${head}Content-Length: 100\r\n\r\n{"factors":`],
    ['in chunks', `${head}Transfer-Encoding: chunked\r\n\r\n5\r\n{"fac\r\n`],
    [
      'of a failure',
      `HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"ty`,
    ],
  ])(
    'resets in the middle of an answer %s: a broken connection, never half an answer that looks whole',
    async (_name, bytes) => {
      const upstream = own(
        await startRawUpstream((socket) => {
          socket.once('data', () =>
            socket.write(bytes, () => setTimeout(() => socket.destroy(), 20)),
          );
        }),
      );
      const gateway = own(await startGateway(upstream.origin));
      await expect(request(gateway.origin).get('/api/me/v1/factors')).rejects.toThrow(
        /hang up|aborted|ECONNRESET/,
      );
    },
  );

  test.each([
    ['is not HTTP', 'SSH-2.0-OpenSSH_9\r\n'],
    ['has two lengths', `${head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`],
    [
      'has a length and chunks',
      `${head}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
    ],
    ['has a header of 100 kB', `${head}X: ${'x'.repeat(100_000)}\r\nContent-Length: 2\r\n\r\n{}`],
  ])('gives an answer that %s: 502', async (_name, bytes) => {
    const upstream = own(
      await startRawUpstream((socket) => void socket.once('data', () => void socket.end(bytes))),
    );
    const gateway = own(await startGateway(upstream.origin));
    expect((await request(gateway.origin).get('/api/me/v1/factors')).status).toBe(502);
  });

  test('switches protocols unasked: 502', async () => {
    const upstream = own(
      await startRawUpstream(
        (socket) =>
          void socket.once(
            'data',
            () =>
              void socket.write(
                'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
              ),
          ),
      ),
    );
    const gateway = own(await startGateway(upstream.origin, { answerMs: 500 }));
    expect([502, 504]).toContain((await request(gateway.origin).get('/api/me/v1/factors')).status);
  });
});

describe('a kept connection that the API has just closed', () => {
  const half = async () => {
    let connections = 0;
    const upstream = own(
      await startRawUpstream((socket) => {
        connections++;
        let requests = 0;
        const first = connections === 1;
        socket.on('data', () => {
          requests++;
          if (first && requests > 1) socket.destroy();
          else socket.write(`${head}Content-Length: 2\r\n\r\n{}`);
        });
      }),
    );
    return {
      upstream,
      gateway: own(await startGateway(upstream.origin)),
      connections: () => connections,
    };
  };

  test('costs a read nothing: it is sent again on a new one', async () => {
    const { gateway, connections } = await half();
    await request(gateway.origin).get('/api/me/v1/factors');
    expect((await request(gateway.origin).get('/api/me/v1/factors')).status).toBe(200);
    expect(connections()).toBe(2);
  });

  test('is not a reason to send a write twice: 502', async () => {
    const { gateway, connections } = await half();
    const write = (name: string) =>
      request(gateway.origin).post('/api/me/v1/authentication-methods').send({ type: name });
    expect((await write('totp')).status).toBe(200);
    expect((await write('email')).status).toBe(502);
    expect(connections()).toBe(1);
  });
});

describe('when the browser leaves', () => {
  const leave = async (port: number, line: string): Promise<() => void> => {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(line);
    return () => void socket.destroy();
  };
  const get = 'GET /api/me/v1/factors HTTP/1.1\r\nHost: x\r\n\r\n';

  test('while the API works: the API is let go as well', async () => {
    const upstream = own(await startUpstream(() => undefined));
    const gateway = own(await startGateway(upstream.origin));
    const go = await leave(gateway.port, get);
    expect(await until(() => upstream.seen.length === 1)).toBe(true);
    go();
    expect(await until(() => upstream.sockets.size === 0)).toBe(true);
  });

  test('while the answer comes: the API is let go as well', async () => {
    const upstream = own(
      await startUpstream(
        (_req, res) =>
          void res
            .writeHead(200, { 'content-type': 'application/json' })
            .write('x'.repeat(400_000)),
      ),
    );
    const gateway = own(await startGateway(upstream.origin));
    const go = await leave(gateway.port, get);
    expect(await until(() => upstream.seen.length === 1)).toBe(true);
    await sleep(20);
    go();
    expect(await until(() => upstream.sockets.size === 0)).toBe(true);
  });

  test('while it waits for a place: its wish is withdrawn and nothing is sent', async () => {
    const upstream = own(await startUpstream());
    const spy = openLimiter();
    let withdrawn = false;
    const gateway = own(
      await startGateway(upstream.origin, {
        limiter: {
          ...spy.limiter,
          take: ({ signal }) =>
            new Promise((_resolve, reject) => {
              signal?.addEventListener('abort', () => {
                withdrawn = true;
                reject(new Error('left'));
              });
            }),
        },
      }),
    );
    const go = await leave(gateway.port, get);
    await sleep(30);
    go();
    expect(await until(() => withdrawn)).toBe(true);
    expect(upstream.seen).toHaveLength(0);
  });

  test('in the middle of its own body: nothing is sent', async () => {
    const upstream = own(await startUpstream());
    const spy = openLimiter();
    const gateway = own(await startGateway(upstream.origin, { limiter: spy.limiter }));
    const go = await leave(
      gateway.port,
      'POST /api/me/v1/authentication-methods HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"type"',
    );
    await sleep(30);
    go();
    await sleep(30);
    expect(spy.asked).toHaveLength(0);
    expect(upstream.seen).toHaveLength(0);
  });
});

describe('a request that two servers could read differently', () => {
  const line = 'POST /api/me/v1/authentication-methods HTTP/1.1\r\n';
  const type = 'Content-Type: application/json\r\n';
  const hidden = 'GET /api/me/v1/factors HTTP/1.1\r\nHost: x\r\n\r\n';
  test.each([
    [
      'a length and chunks',
      `${line}Host: x\r\n${type}Content-Length: ${hidden.length + 5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
    ],
    [
      'chunks and a length',
      `${line}Host: x\r\n${type}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n${hidden}`,
    ],
    [
      'two lengths',
      `${line}Host: x\r\n${type}Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}${hidden}`,
    ],
    ['a list of lengths', `${line}Host: x\r\n${type}Content-Length: 2, 2\r\n\r\n{}${hidden}`],
    ['a signed length', `${line}Host: x\r\n${type}Content-Length: +2\r\n\r\n{}${hidden}`],
    ['a negative length', `${line}Host: x\r\n${type}Content-Length: -1\r\n\r\n${hidden}`],
    [
      'a folded header',
      `${line}Host: x\r\n${type}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n${hidden}`,
    ],
    [
      'an obfuscated transfer encoding',
      `${line}Host: x\r\n${type}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${hidden}`,
    ],
    [
      'a transfer encoding twice',
      `${line}Host: x\r\n${type}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n${hidden}`,
    ],
    ['a space before the colon', `${line}Host: x\r\n${type}Content-Length : 40\r\n\r\n${hidden}`],
    ['a bare line feed', `${line}Host: x\n${type}Content-Length: 2\r\n\r\n{}`],
    ['a bare carriage return', `${line}Host: x\rX: y\r\n${type}Content-Length: 2\r\n\r\n{}`],
    ['a NUL in a header', `${line}Host: x\r\nX: a\0b\r\n${type}Content-Length: 2\r\n\r\n{}`],
    [
      'a chunk size that overflows',
      `${line}Host: x\r\n${type}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n`,
    ],
    [
      'a chunk extension with a line feed',
      `${line}Host: x\r\n${type}Transfer-Encoding: chunked\r\n\r\n2;\nxx\r\n{}\r\n0\r\n\r\n`,
    ],
    ['no Host', `GET /api/me/v1/factors HTTP/1.1\r\n\r\n`],
    ['two Hosts', `GET /api/me/v1/factors HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n`],
    ['another protocol version', `GET /api/me/v1/factors HTTP/9.9\r\nHost: x\r\n\r\n`],
    [
      'another address form',
      `GET http://evil.example/api/me/v1/factors HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    ],
    ['a line feed in the address', `GET /api/me/v1/factors\nX: y HTTP/1.1\r\nHost: x\r\n\r\n`],
    ['the start of HTTP/2', `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`],
  ])('is refused and its connection closed: %s', async (name, bytes) => {
    const upstream = own(await startUpstream());
    const gateway = own(await startGateway(upstream.origin));
    const text = await raw(gateway.port, bytes, 500);
    expect([name, upstream.seen]).toEqual([name, []]);
    expect(text).toMatch(/^HTTP\/1\.1 (400|404|408|413|431|505) /);
    expect(text.match(/HTTP\/1\.1 /g)).toHaveLength(1);
  });

  test.each(['x', 'evil.example', 'evil.example:9999', '127.0.0.1:1@evil.example'])(
    'a Host of %s changes nothing about where it goes',
    async (host) => {
      const upstream = own(await startUpstream());
      const gateway = own(await startGateway(upstream.origin));
      const text = await raw(
        gateway.port,
        `GET /api/me/v1/factors HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
      );
      expect(text).toMatch(/^HTTP\/1\.1 200 /);
      expect(upstream.seen[0]?.headers.host).toBe(new URL(upstream.origin).host);
    },
  );

  test('one after the other on one connection keep their own answers', async () => {
    const upstream = own(
      await startUpstream(
        (req, res) =>
          void res
            .setHeader('content-type', 'application/json')
            .end(JSON.stringify({ url: req.url })),
      ),
    );
    const gateway = own(await startGateway(upstream.origin));
    const get = (path: string, last = '') =>
      `GET /api/me/v1${path} HTTP/1.1\r\nHost: x\r\n${last}\r\n`;
    const text = await raw(
      gateway.port,
      get('/factors') +
        get('/authentication-methods') +
        get('/connected-accounts/accounts', 'Connection: close\r\n'),
    );
    expect(text.match(/"url":"[^"]+"/g)).toEqual([
      '"url":"/me/v1/factors"',
      '"url":"/me/v1/authentication-methods"',
      '"url":"/me/v1/connected-accounts/accounts"',
    ]);
  });
});
