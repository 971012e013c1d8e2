import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import request from 'supertest';
import { openLimiter, raw, startGateway, startUpstream } from '../helpers/api.ts';
import type { Gateway, Upstream } from '../helpers/api.ts';

let upstream: Upstream;
let gateway: Gateway;
const { limiter, asked, told } = openLimiter();
const json = (
  body: unknown,
  status = 200,
  headers: Record<string, string> = {},
): Upstream['respond'] => {
  return (_req, res) => {
    res.writeHead(status, { 'content-type': 'application/json', ...headers });
    res.end(JSON.stringify(body));
  };
};

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startGateway(upstream.origin, { limiter });
});
afterAll(async () => {
  await gateway.close();
  await upstream.close();
});
afterEach(() => {
  upstream.seen.length = 0;
  asked.length = 0;
  told.length = 0;
  upstream.respond = json({ factors: [] });
});

describe('what the API sees', () => {
  test('the token, our own request id, the allow-listed headers, and nothing else of the browser', async () => {
    const answer = await request(gateway.origin).get('/api/me/v1/factors').set({
      Cookie: 'my_account_session=canary',
      Authorization: 'Bearer canary',
      'Proxy-Authorization': 'Basic canary',
      DPoP: 'canary',
      'X-Forwarded-For': 'canary',
      'X-Forwarded-Host': 'canary.example',
      'X-Forwarded-Proto': 'canary',
      Forwarded: 'for=canary',
      'X-Real-IP': 'canary',
      'X-Original-URL': '/canary',
      'X-Rewrite-URL': '/canary',
      'X-Request-Id': 'canary',
      'X-HTTP-Method-Override': 'DELETE',
      'auth0-scope': 'read:me:factors canary',
      scope: 'canary',
      Origin: 'http://canary.example',
      Referer: 'http://canary.example/',
      'Sec-Fetch-Site': 'canary',
      'X-CSRF': '1',
      x_forwarded_for: 'canary',
      authorization_: 'canary',
      _authorization: 'canary',
      Range: 'bytes=0-1',
      'If-None-Match': '"canary"',
      'Accept-Encoding': 'br',
      TE: 'trailers',
      Accept: 'application/json',
      'Accept-Language': 'de',
      'User-Agent': 'Browser/1',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    });
    expect(answer.status).toBe(200);
    const [seen] = upstream.seen;
    expect(seen?.headers).toEqual({
      host: new URL(upstream.origin).host,
      accept: 'application/json',
      'accept-encoding': 'identity',
      'accept-language': 'de',
      'user-agent': 'Browser/1',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      via: '1.1 my-account-bff',
      'x-correlation-id': answer.headers['x-request-id'],
      authorization: 'Bearer at-1',
      connection: 'keep-alive',
    });
    expect(JSON.stringify(seen)).not.toContain('canary');
  });

  test('one traceparent or none: what was sent twice begins no trace', async () => {
    const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const get = 'GET /api/me/v1/factors HTTP/1.1\r\nHost: x\r\nConnection: close\r\n';
    await raw(gateway.port, `${get}traceparent: ${parent}\r\ntracestate: a=1\r\n\r\n`);
    await raw(gateway.port, `${get}traceparent: ${parent}\r\ntraceparent: ${parent}\r\n\r\n`);
    await raw(gateway.port, `${get}traceparent: junk\r\ntracestate: a=1\r\n\r\n`);
    const traces = upstream.seen.map(({ rawHeaders }) =>
      rawHeaders.filter((_each, at) => /^trace/i.test(rawHeaders[at - (at % 2)] ?? '')),
    );
    expect(traces).toEqual([['traceparent', parent, 'tracestate', 'a=1'], [], []]);
  });

  test('a Connection header cannot take our own headers away (RFC 9110 section 7.6.1)', async () => {
    await raw(
      gateway.port,
      'GET /api/me/v1/factors HTTP/1.1\r\nHost: x\r\nConnection: close, authorization, via, x-secret\r\nX-Secret: canary\r\nKeep-Alive: timeout=9\r\n\r\n',
    );
    expect(upstream.seen[0]?.headers).toMatchObject({
      authorization: 'Bearer at-1',
      via: '1.1 my-account-bff',
      connection: 'keep-alive',
    });
    expect(JSON.stringify(upstream.seen)).not.toContain('canary');
  });

  test('path bytes and repeated query parameters as the browser wrote them', async () => {
    await raw(
      gateway.port,
      'GET /api/me/authentication-methods/passkey%7Cnew HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    );
    await raw(
      gateway.port,
      'GET /api/me/v1/connected-accounts/accounts?connection=a&connection=b%20c&take=2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    );
    expect(upstream.seen.map((seen) => seen.url)).toEqual([
      '/me/v1/authentication-methods/passkey%7Cnew',
      '/me/v1/connected-accounts/accounts?connection=a&connection=b%20c&take=2',
    ]);
  });

  test.each([
    '{"type":"totp"}',
    '{ "type" : "totp", "type": "email" }\n',
    '{"name":"\u00fc\u2028"}',
  ])('exactly the body that was sent: %j', async (body) => {
    upstream.respond = json({ id: 'x' }, 202);
    const answer = await request(gateway.origin)
      .post('/api/me/v1/authentication-methods')
      .set('Content-Type', 'application/json; charset=utf-8')
      .send(body);
    expect(answer.status).toBe(202);
    expect(upstream.seen[0]).toMatchObject({ method: 'POST', body });
    expect(upstream.seen[0]?.headers).toMatchObject({
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
    });
    expect(upstream.seen[0]?.headers).not.toHaveProperty('transfer-encoding');
  });

  test('a chunked body as one of known length', async () => {
    await raw(
      gateway.port,
      'PATCH /api/me/authentication-methods/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"na\r\n6\r\nme":1}\r\n0\r\nX-Trailer: canary\r\n\r\n',
    );
    expect(upstream.seen[0]).toMatchObject({ method: 'PATCH', body: '{"name":1}' });
    expect(JSON.stringify(upstream.seen)).not.toContain('canary');
  });

  test('DELETE without a body', async () => {
    upstream.respond = (_req, res) => void res.writeHead(204).end();
    const answer = await request(gateway.origin).delete(
      '/api/me/v1/authentication-methods/totp%7Cdev_1',
    );
    expect(answer.status).toBe(204);
    expect(upstream.seen[0]).toMatchObject({
      method: 'DELETE',
      url: '/me/v1/authentication-methods/totp%7Cdev_1',
      body: '',
    });
  });

  test('one connection for many reads, one for many writes', async () => {
    const own = await startUpstream(json({}));
    const other = await startGateway(own.origin, { limiter });
    for (let i = 0; i < 5; i++) await request(other.origin).get('/api/me/v1/factors');
    expect(own.sockets.size).toBe(1);
    for (let i = 0; i < 5; i++)
      await request(other.origin)
        .post('/api/me/v1/authentication-methods')
        .send({ type: `kind ${i}` });
    expect(own.sockets.size).toBe(2);
    await other.close();
    await own.close();
  });
});

describe('what the browser gets', () => {
  test('status and body of the API, and none of its headers that are not on the list', async () => {
    upstream.respond = json({ factors: [{ type: 'totp' }] }, 200, {
      'Set-Cookie': 'canary=1',
      'Access-Control-Allow-Origin': 'https://canary.example',
      'Access-Control-Allow-Credentials': 'true',
      'Strict-Transport-Security': 'max-age=1',
      'Cache-Control': 'public, max-age=600',
      ETag: '"canary"',
      Server: 'canary',
      'x-ratelimit-limit': '25',
      'x-ratelimit-remaining': '17',
      'Content-Security-Policy': 'canary',
      'Keep-Alive': 'timeout=600',
      Trailer: 'canary',
      'Proxy-Authenticate': 'Basic canary',
      Location: 'https://canary.example/',
    });
    const answer = await request(gateway.origin).get('/api/me/v1/factors');
    expect(answer.body).toEqual({ factors: [{ type: 'totp' }] });
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['vary']).toContain('Cookie');
    expect(answer.headers['ratelimit']).toBe('"factors_read";r=4;t=12');
    expect(answer.headers['ratelimit-policy']).toBe('"factors_read";q=5;w=60');
    expect(JSON.stringify(answer.headers)).not.toContain('canary');
    for (const name of [
      'set-cookie',
      'access-control-allow-origin',
      'access-control-allow-credentials',
      'etag',
      'x-ratelimit-limit',
      'location',
    ]) {
      expect(answer.headers).not.toHaveProperty(name);
    }
  });

  test.each([
    ['/me/v1/authentication-methods/passkey|new', '/api/me/v1/authentication-methods/passkey|new'],
    [
      'ORIGIN/me/v1/authentication-methods/passkey%7Cnew',
      '/api/me/v1/authentication-methods/passkey%7Cnew',
    ],
    ['https://elsewhere.example/me/v1/authentication-methods/x', undefined],
    ['ORIGIN.evil.example/me/v1/authentication-methods/x', undefined],
    ['//evil.example/me/v1/x', undefined],
    ['/api/v2/users', undefined],
  ])('Location %s as %s', async (sent, expected) => {
    upstream.respond = json({}, 201, { Location: sent.replace('ORIGIN', upstream.origin) });
    const answer = await request(gateway.origin)
      .post('/api/me/v1/authentication-methods/passkey%7Cnew/verify')
      .send({ auth_session: 's' });
    expect(answer.status).toBe(201);
    expect(answer.headers['location']).toBe(expected);
  });

  test.each([400, 404, 409, 415, 500])(
    "a failure of the API's own with status %d as it is",
    async (status) => {
      const problem = {
        type: `https://auth0.com/api-errors/A0E-${status}-0001`,
        title: 'T',
        status,
        detail: 'D',
        validation_errors: [{ detail: 'x' }],
      };
      upstream.respond = json(problem, status);
      const answer = await request(gateway.origin).get('/api/me/v1/authentication-methods/x');
      expect(answer.status).toBe(status);
      expect(answer.body).toEqual(problem);
      expect(answer.headers['cache-control']).toBe('no-store');
    },
  );

  test.each([301, 302, 303, 307, 308])(
    'a redirect with status %d is not followed and not passed on',
    async (status) => {
      upstream.respond = (_req, res) =>
        void res.writeHead(status, { Location: `${upstream.origin}/me/v1/factors` }).end();
      const answer = await request(gateway.origin).get('/api/me/v1/factors').redirects(0);
      expect(answer.status).toBe(502);
      expect(answer.body).toMatchObject({ code: 'upstream_unreachable' });
      expect(answer.headers).not.toHaveProperty('location');
      expect(upstream.seen).toHaveLength(1);
    },
  );

  test.each([200, 403, 502, 503])(
    'a page of something in between with status %d never reaches the browser',
    async (status) => {
      upstream.respond = (_req, res) =>
        void res
          .writeHead(status, { 'content-type': 'text/html' })
          .end('<script>alert("canary")</script>');
      const answer = await request(gateway.origin).get('/api/me/v1/factors');
      expect(answer.status).toBe(502);
      expect(answer.text).not.toContain('canary');
    },
  );

  test('a long answer whole', async () => {
    const long = { text: 'x'.repeat(3_000_000) };
    upstream.respond = json(long);
    const answer = await request(gateway.origin).get('/api/me/v1/factors');
    expect(answer.body).toEqual(long);
  });
});

test('every answer is told to the budget, with what the request was', async () => {
  upstream.respond = json({}, 200, { 'x-ratelimit-remaining': '3' });
  await request(gateway.origin).get('/api/me/v1/authentication-methods?type=totp');
  await request(gateway.origin).post('/api/me/v1/authentication-methods/x/verify').send({});
  expect(asked.map(({ user, bucket, priority }) => ({ user, bucket, priority }))).toEqual([
    { user: 'user-1', bucket: 'authentication_methods_read_filtered', priority: 'first' },
    { user: 'user-1', bucket: 'authentication_methods_write', priority: 'verify' },
  ]);
  expect(told[0]).toMatchObject({
    user: 'user-1',
    bucket: 'authentication_methods_read_filtered',
    status: 200,
    headers: { 'x-ratelimit-remaining': '3' },
  });
});
