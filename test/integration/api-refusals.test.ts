import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import request from 'supertest';
import { Failure } from '../../src/gateway/http/errors.ts';
import type { AccessTokenResult } from '../../src/gateway/tokens/access-token.ts';
import {
  from,
  session,
  sessionOf,
  openLimiter,
  quota,
  raw,
  startGateway,
  startUpstream,
  tokensOf,
  usable,
} from '../helpers/api.ts';
import type { Gateway, Upstream } from '../helpers/api.ts';

let upstream: Upstream;
beforeAll(async () => {
  upstream = await startUpstream();
});
afterAll(() => upstream.close());
const open: Gateway[] = [];
afterEach(async () => {
  upstream.seen.length = 0;
  upstream.respond = (_req, res) =>
    void res.setHeader('content-type', 'application/json').end('{}');
  for (const gateway of open.splice(0)) await gateway.close();
});
const start = async (parts: Parameters<typeof startGateway>[1] = {}) => {
  const gateway = await startGateway(upstream.origin, parts);
  open.push(gateway);
  return gateway;
};
const problem = (status: number, headers: Record<string, string>, body: unknown) => {
  upstream.respond = (_req, res) => {
    res.writeHead(status, { 'content-type': 'application/json', ...headers });
    res.end(JSON.stringify(body));
  };
};
describe('before anything is spent', () => {
  test('without a session: 401, and the API is not called', async () => {
    const { limiter, asked } = openLimiter();
    const gateway = await start({ sessions: from(undefined), limiter });
    const answer = await request(gateway.origin).get('/api/me/v1/factors');
    expect(answer.status).toBe(401);
    expect(answer.body).toMatchObject({ code: 'login_required', loginUrl: '/auth/login' });
    expect(asked).toHaveLength(0);
    expect(upstream.seen).toHaveLength(0);
  });

  test('an operation whose scope is not granted: step-up, for what the client says it will need as well, without a call', async () => {
    const { limiter, asked } = openLimiter();
    const gateway = await start({
      sessions: from(sessionOf({ scopes: ['read:me:factors'] })),
      limiter,
    });
    const answer = await request(gateway.origin)
      .delete('/api/me/v1/authentication-methods/x')
      .set(
        'auth0-scope',
        'delete:me:authentication_methods read:me:authentication_methods read:me:factors offline_access evil:scope',
      );
    expect(answer.status).toBe(403);
    expect(answer.body).toMatchObject({
      code: 'step_up_required',
      scope: ['delete:me:authentication_methods', 'read:me:authentication_methods'],
      stepUpUrl:
        '/auth/step-up?scope=delete:me:authentication_methods+read:me:authentication_methods',
    });
    expect(asked).toHaveLength(0);
    expect(upstream.seen).toHaveLength(0);
  });

  test('a person opening such an address is sent to step up and back', async () => {
    const gateway = await start({ sessions: from(sessionOf({ scopes: [] })) });
    const answer = await request(gateway.origin)
      .get('/api/me/v1/factors')
      .set('Sec-Fetch-Mode', 'navigate')
      .redirects(0);
    expect(answer.status).toBe(302);
    expect(answer.headers['location']).toBe('/auth/step-up?scope=read:me:factors');
  });

  test.each([
    ['a form', 'application/x-www-form-urlencoded', 'type=totp'],
    ['a form of text', 'text/plain', '{"type":"totp"}'],
    ['multipart', 'multipart/form-data; boundary=x', '--x--'],
    ['another charset', 'application/json; charset=utf-7', '{}'],
    ['two types in one', 'application/json, text/plain', '{}'],
    ['two types, the second JSON', 'text/plain, application/json', '{}'],
    ['a comma without a type', 'application/json,', '{}'],
    ['a tab in the type', 'application\tx; /json', '{}'],
    ['a type that only starts like it', 'application/json-patch+json', '[]'],
  ])('%s is not JSON: 415', async (_name, type, body) => {
    const gateway = await start();
    const text = await raw(
      gateway.port,
      `POST /api/me/v1/authentication-methods HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 415 /);
    expect(upstream.seen).toHaveLength(0);
  });

  test.each([
    'application/json, application/json',
    'application/json; charset=utf-8,application/json',
    'application/json\r\nContent-Type: application/json',
  ])('JSON that is said twice is JSON: %j', async (type) => {
    const gateway = await start();
    const text = await raw(
      gateway.port,
      `POST /api/me/v1/authentication-methods HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: ${type}\r\nContent-Length: 2\r\n\r\n{}`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(upstream.seen[0]?.headers['content-type']).toBe('application/json');
  });

  test('a compressed body: 415', async () => {
    const gateway = await start();
    const answer = await request(gateway.origin)
      .post('/api/me/v1/authentication-methods')
      .set({ 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' })
      .send('{}');
    expect(answer.status).toBe(415);
  });

  test('64 KiB pass, one byte more does not, announced or not', async () => {
    const gateway = await start();
    const body = JSON.stringify({ name: 'x'.repeat(65_536 - 11) });
    const post = () =>
      request(gateway.origin)
        .post('/api/me/v1/authentication-methods')
        .set('Content-Type', 'application/json');
    expect((await post().send(body)).status).toBe(200);
    expect((await post().send(`${body} `)).status).toBe(413);
    const head =
      'POST /api/me/v1/authentication-methods HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n';
    const chunk = `8000\r\n${'x'.repeat(0x8000)}\r\n`;
    expect(await raw(gateway.port, `${head}${chunk}${chunk}1\r\nx\r\n0\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 413 /,
    );
    expect(upstream.seen).toHaveLength(1);
  });

  test.each(['GET /api/me/v1/factors', 'DELETE /api/me/v1/authentication-methods/x'])(
    '%s with a body: 400',
    async (line) => {
      const gateway = await start();
      const head = `${line} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`;
      expect(await raw(gateway.port, `${head}Content-Length: 2\r\n\r\n{}`)).toMatch(
        /^HTTP\/1\.1 400 /,
      );
      expect(
        await raw(gateway.port, `${head}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`),
      ).toMatch(/^HTTP\/1\.1 400 /);
      expect(upstream.seen).toHaveLength(0);
    },
  );

  test('a body that was not announced at all is an empty one, whether it is said to be or not', async () => {
    const gateway = await start();
    const head =
      'POST /api/me/v1/authentication-methods HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n';
    for (const announced of ['', 'Content-Length: 0\r\n'])
      expect(await raw(gateway.port, `${head}${announced}\r\n`)).toMatch(/^HTTP\/1\.1 200 /);
    expect(upstream.seen.map(({ body }) => body)).toEqual(['', '']);
  });

  test('a body that never ends holds nothing but its own connection, and not for long', async () => {
    const { limiter, asked } = openLimiter();
    const gateway = await start({ limiter, body: { ms: 150 } });
    const text = await raw(
      gateway.port,
      'POST /api/me/v1/authentication-methods HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"type"',
    );
    expect(text).toMatch(/^HTTP\/1\.1 408 /);
    expect(asked).toHaveLength(0);
    expect(upstream.seen).toHaveLength(0);
  });
});

describe('when the budget says no', () => {
  const closed = (by: 'user' | 'tenant') => ({
    ...openLimiter().limiter,
    take: () => Promise.resolve({ admitted: false as const, by, retryAfterSeconds: 12, quota }),
  });

  test("the user's own limit is 429 with Retry-After and RateLimit", async () => {
    const gateway = await start({ limiter: closed('user') });
    const answer = await request(gateway.origin).get('/api/me/v1/factors');
    expect(answer.status).toBe(429);
    expect(answer.body).toMatchObject({
      code: 'rate_limited',
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
    });
    expect(answer.headers).toMatchObject({
      'retry-after': '12',
      ratelimit: '"factors_read";r=4;t=12',
      'ratelimit-policy': '"factors_read";q=5;w=60',
    });
    expect(upstream.seen).toHaveLength(0);
  });

  test("the tenant's is 503 without its numbers", async () => {
    const gateway = await start({ limiter: closed('tenant') });
    const answer = await request(gateway.origin).get('/api/me/v1/factors');
    expect(answer.status).toBe(503);
    expect(answer.body).toMatchObject({ code: 'tenant_busy' });
    expect(answer.headers['retry-after']).toBe('12');
    expect(answer.headers).not.toHaveProperty('ratelimit');
  });
});

describe('when there is no token', () => {
  test.each<[string, AccessTokenResult, number, string]>([
    ['the session has ended', { kind: 'ended' }, 401, 'login_required'],
    [
      'the tenant cannot refresh now',
      { kind: 'temporary', retryAfterSeconds: 3 },
      503,
      'tenant_busy',
    ],
    [
      'a refresh asks for MFA',
      { kind: 'step_up', reason: 'mfa_required' },
      403,
      'step_up_required',
    ],
  ])(
    '%s: nothing is sent and the place in the budget goes back',
    async (_name, token, status, code) => {
      const spy = openLimiter();
      const gateway = await start({ tokens: tokensOf(() => token), limiter: spy.limiter });
      const answer = await request(gateway.origin).get('/api/me/v1/factors');
      expect(answer.status).toBe(status);
      expect(answer.body).toMatchObject({ code });
      expect(spy.givenBack()).toBe(1);
      expect(upstream.seen).toHaveLength(0);
    },
  );

  test('a refresh that narrowed the scopes in silence: step-up, not a call that must fail', async () => {
    const gateway = await start({
      tokens: tokensOf((of) => ({ ...usable(of), scope: ['openid'] })),
    });
    const answer = await request(gateway.origin).get('/api/me/v1/factors');
    expect(answer.body).toMatchObject({ code: 'step_up_required', scope: ['read:me:factors'] });
    expect(upstream.seen).toHaveLength(0);
  });
});

describe('when the API wants more', () => {
  const type = 'https://auth0.com/api-errors/A0E-403-0002';
  test.each([
    [
      'by header',
      { 'WWW-Authenticate': 'Bearer realm="api", error="insufficient_scope", scope="evil:scope"' },
      { status: 403 },
    ],
    ['by body', {}, { type, title: 'Insufficient Scope', status: 403, detail: 'needs evil:scope' }],
    [
      'by body, in the other spelling',
      {},
      { type: type.replace('errors/', 'errors#'), status: 403 },
    ],
  ])(
    'insufficient scope %s becomes a step-up for the scope of our own table',
    async (_name, headers, body) => {
      problem(403, headers, body);
      const gateway = await start();
      const answer = await request(gateway.origin).delete('/api/me/v1/authentication-methods/x');
      expect(answer.status).toBe(403);
      expect(answer.body).toMatchObject({
        code: 'step_up_required',
        scope: ['delete:me:authentication_methods'],
        reason: 'insufficient_scope',
      });
      expect((answer.body as { type: string }).type).toBe(
        'type' in body ? body.type : 'urn:my-account-bff:error:step_up_required',
      );
      expect(answer.text).not.toContain('evil');
    },
  );

  test('any other 403 is the API speaking', async () => {
    const body = {
      type: 'https://auth0.com/api-errors/A0E-403-0001',
      title: 'Forbidden',
      status: 403,
      detail: 'no',
    };
    problem(403, {}, body);
    const gateway = await start();
    const answer = await request(gateway.origin).get('/api/me/v1/factors');
    expect(answer.status).toBe(403);
    expect(answer.body).toEqual(body);
  });

  test('a more recent sign-in (RFC 9470 section 3)', async () => {
    problem(
      401,
      { 'WWW-Authenticate': 'Bearer error="insufficient_user_authentication", max_age="300"' },
      {},
    );
    const gateway = await start();
    const answer = await request(gateway.origin).get('/api/me/v1/factors');
    expect(answer.body).toMatchObject({
      code: 'step_up_required',
      reason: 'insufficient_user_authentication',
      maxAge: 300,
    });
  });
});

describe('when the API refuses the token', () => {
  test('a read is sent once more with a new one', async () => {
    let current = 'old';
    upstream.respond = (req, res) => {
      res
        .writeHead(req.headers.authorization === 'Bearer new' ? 200 : 401, {
          'content-type': 'application/json',
        })
        .end('{}');
    };
    const tokens = tokensOf(
      (of) => usable(of, current),
      () => (current = 'new'),
    );
    const spy = openLimiter();
    const gateway = await start({ tokens, limiter: spy.limiter });
    expect((await request(gateway.origin).get('/api/me/v1/factors')).status).toBe(200);
    expect(upstream.seen.map((seen) => seen.headers.authorization)).toEqual([
      'Bearer old',
      'Bearer new',
    ]);
    expect(spy.asked).toHaveLength(2);
  });

  test('once, not for ever', async () => {
    problem(401, {}, {});
    const gateway = await start();
    const answer = await request(gateway.origin).get('/api/me/v1/factors');
    expect(answer.status).toBe(401);
    expect(answer.body).toMatchObject({ code: 'login_required' });
    expect(upstream.seen).toHaveLength(2);
  });

  test('a write is sent once more as well: a 401 says that nothing was done', async () => {
    problem(401, { 'WWW-Authenticate': 'Bearer error="invalid_token"' }, {});
    let told = 0;
    const gateway = await start({
      tokens: tokensOf(
        (of) => usable(of),
        () => (told += 1),
      ),
    });
    const answer = await request(gateway.origin)
      .post('/api/me/v1/authentication-methods')
      .send({ type: 'totp' });
    expect(answer.status).toBe(401);
    expect(told).toBe(2);
    expect(upstream.seen.map(({ body }) => body)).toEqual(['{"type":"totp"}', '{"type":"totp"}']);
  });

  test('a missing DPoP nonce is not a refusal: the API has not looked at the request (RFC 9449 section 9)', async () => {
    upstream.respond = (_req, res) => {
      if (upstream.seen.length === 1)
        res
          .writeHead(401, { 'WWW-Authenticate': 'DPoP error="use_dpop_nonce"', 'DPoP-Nonce': 'n' })
          .end();
      else res.writeHead(202, { 'content-type': 'application/json' }).end('{}');
    };
    const gateway = await start();
    const answer = await request(gateway.origin)
      .post('/api/me/v1/authentication-methods')
      .send({ type: 'totp' });
    expect(answer.status).toBe(202);
    expect(upstream.seen.map((seen) => seen.body)).toEqual(['{"type":"totp"}', '{"type":"totp"}']);
  });
});

describe('when the API is at its limit', () => {
  test("the user's: 429 with the API's own Retry-After", async () => {
    problem(429, { 'retry-after': '7' }, {});
    const gateway = await start();
    const answer = await request(gateway.origin).get('/api/me/v1/factors');
    expect(answer.status).toBe(429);
    expect(answer.headers['retry-after']).toBe('7');
    expect(answer.body).toMatchObject({ code: 'rate_limited' });
  });

  test("the tenant's: 503", async () => {
    problem(429, { 'retry-after': '2', 'x-auth0-error-kind': 'global-rate-limit' }, {});
    const gateway = await start();
    const answer = await request(gateway.origin).get('/api/me/v1/factors');
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toBe('2');
    expect(answer.body).toMatchObject({ code: 'tenant_busy' });
  });

  test.each([
    [{}, '13'],
    [{ 'retry-after': 'soon' }, '13'],
    [{ 'retry-after': '-5' }, '13'],
    [{ 'retry-after': '0' }, '1'],
    [{ 'retry-after': '99999999' }, '120'],
  ])(
    'Retry-After is how long the bucket is closed, whatever came: %j',
    async (headers, expected) => {
      problem(429, headers, {});
      const gateway = await start();
      expect((await request(gateway.origin).get('/api/me/v1/factors')).headers['retry-after']).toBe(
        expected,
      );
    },
  );
});

test('a store that is away is 503 with the cookie untouched', async () => {
  const gateway = await start({
    sessions: {
      ...from(session),
      find: () =>
        Promise.reject(new Failure('store_unavailable', { headers: { 'Retry-After': '1' } })),
    },
  });
  const answer = await request(gateway.origin).get('/api/me/v1/factors');
  expect(answer.status).toBe(503);
  expect(answer.headers).not.toHaveProperty('set-cookie');
});
