import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import express from 'express';
import request from 'supertest';
import { answeredWithin } from '../../src/gateway/http/deadline.ts';
import { freePort } from '../helpers/gateway.ts';
import { startProgram, type Running } from '../helpers/process.ts';
import { exchangeRaw, lines, statusOf } from '../helpers/raw-socket.ts';

let program: Running<unknown>;
let port: number;
beforeAll(async () => {
  port = await freePort();
  program = await startProgram(['start'], {
    AUTH0_DOMAIN: 'http://127.0.0.1:9',
    AUTH0_CLIENT_ID: 'client',
    AUTH0_CLIENT_SECRET: 'a secret of the tests',
    AUTH0_SECRET: 'a secret of the tests that is long enough to seal with',
    AUTH0_PASSWORD_REALM: 'users',
    APP_BASE_URL: `http://localhost:${port}`,
    UPSTREAM_ANSWER_TIMEOUT: '1000',
    PORT: String(port),
    ADMIN_PORT: '0',
  });
});
afterAll(async () => {
  await program.kill();
});

const targets = [
  ...[
    '//a#@b',
    '//a#@',
    '/a#b',
    '/#',
    '/auth/login#x',
    '/api/me/v1/factors#x',
    '//#',
    '//@#:x',
    '//[::#',
    '/?#',
    '/auth#@b',
  ],
  ...[
    'http://[',
    'http://a:99999/',
    'http://a:b:c/',
    'http://',
    'x:',
    '?x',
    '*',
    '//',
    '///',
    '//a',
    '//a:99999',
    '/\\a#',
    '//%00#@',
  ],
  ...[
    '/auth/%',
    '/auth/sessions/%E0%A4%A',
    '/%',
    '/api/me/%',
    '/api/me//',
    'http://localhost/auth/session',
    'http://x/#@b',
  ],
];

describe('a request is answered in time', () => {
  test('whatever its target is, 500 of 500', async () => {
    const asked = Array.from({ length: 500 }, (_, index) => targets[index % targets.length] ?? '');
    const answers = await Promise.all(
      asked.map(async (target) => {
        const answer = await exchangeRaw(
          port,
          lines(`GET ${target} HTTP/1.1`, `Host: localhost:${port}`, 'Connection: close'),
        );
        return { target, status: statusOf(answer) ?? 0, closed: answer.closed };
      }),
    );
    const wrong = answers.filter(({ status, closed }) => status < 200 || status >= 500 || !closed);
    expect([...new Set(wrong.map(({ target, status }) => `${target} ${String(status)}`))]).toEqual(
      [],
    );
    expect(
      answers.filter(({ target }) => target === '//a#@b').map(({ status }) => status),
    ).toContain(400);
  });

  test.each([
    ['/auth/backchannel-logout', 'application/x-www-form-urlencoded'],
    ['/auth/password', 'application/json'],
  ])('when the body of %s does not come', async (path, type) => {
    const more = ['Sec-Fetch-Site: same-origin', `Content-Type: ${type}`, 'Content-Length: 100'];
    const answer = await exchangeRaw(
      port,
      lines(`POST ${path} HTTP/1.1`, `Host: localhost:${port}`, ...more) + 'log',
    );
    expect([statusOf(answer), answer.closed]).toEqual([408, true]);
    expect(answer.text).toContain('"code":"body_timeout"');
  });

  test('when the head does not come: it ends after its ten seconds, not when Node next happens to look', async () => {
    const answer = await exchangeRaw(port, `GET / HTTP/1.1\r\nHost: localhost:${port}\r\n`, 30_000);
    expect([statusOf(answer), answer.closed]).toEqual([408, true]);
  });

  test('when a handler never answers', async () => {
    const app = express();
    app.use(
      answeredWithin(20, (error, _req, res, _next) => {
        res.status(504).send(String(error));
      }),
    );
    app.get('/never', () => undefined);
    const answer = await request(app).get('/never');
    expect(answer.status).toBe(504);
    expect(answer.text).toContain('took too long');
  });
});
