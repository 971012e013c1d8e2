import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import express from 'express';
import request from 'supertest';
import { createConnectCallback } from '../../src/gateway/connect/finish.ts';
import { createConnectStart } from '../../src/gateway/connect/start.ts';
import type { Connecting } from '../../src/gateway/connect/start.ts';
import { createErrorHandler } from '../../src/gateway/http/error-handler.ts';
import { Failure } from '../../src/gateway/http/errors.ts';
import { createLog } from '../../src/gateway/http/log.ts';
import { createMemoryStore } from '../../src/gateway/session/memory-store.ts';
import { createPending } from '../../src/gateway/session/pending.ts';
import { createSeal } from '../../src/gateway/session/seal.ts';
import type { Challenge } from '../../src/gateway/step-up/challenge.ts';
import {
  createApi,
  from,
  openLimiter,
  sessionOf,
  startUpstream,
  tokensOf,
  usable,
} from '../helpers/api.ts';
import type { Upstream } from '../helpers/api.ts';
import { memoryStores } from '../helpers/cached-api.ts';

type Way = 'kept read' | 'plain read' | 'change' | 'connect start' | 'connect callback';
type Answer = (res: ServerResponse, req: IncomingMessage) => void;

/**
 * What comes of an answer of the API: what the browser gets, how often the API was called, how often
 * the token was refused, and whether what was cached of that part of the account is forgotten.
 */
interface Outcome {
  readonly status: number | 'broken';
  readonly code?: string;
  readonly calls: number;
  readonly refused: number;
  readonly forgotten: boolean;
}

const json =
  (
    status: number,
    headers: Record<string, string> = {},
    body: unknown = { said: 'by the API' },
  ): Answer =>
  (res) =>
    void res
      .writeHead(status, { 'content-type': 'application/json', ...headers })
      .end(JSON.stringify(body));
const bearer = (error: string): Record<string, string> => ({
  'www-authenticate': `Bearer error="${error}"`,
});
const scopeCode = { type: 'https://auth0.com/api-errors/A0E-403-0002', status: 403 };
const tenant = { 'x-auth0-error-kind': 'global-rate-limit' };

const same = (status: number | 'broken', code?: string, more: Partial<Outcome> = {}): Outcome => ({
  status,
  ...(code !== undefined && { code }),
  calls: 1,
  refused: 0,
  forgotten: false,
  ...more,
});
const everywhere = (
  outcome: Outcome,
  over: Partial<Record<Way, Outcome>> = {},
): Record<Way, Outcome> => ({
  'kept read': outcome,
  'plain read': outcome,
  change: outcome,
  'connect start': outcome,
  'connect callback': outcome,
  ...over,
});
/** The API's own word to a page, and a page of ours where a connection came to nothing. */
const passed = (status: number): Record<Way, Outcome> =>
  everywhere(same(status), {
    'connect start': same(400, 'connect_failed'),
    'connect callback': same(400, 'connect_failed'),
  });
const unknown = (status: number | 'broken', code?: string): Partial<Record<Way, Outcome>> => ({
  change: same(status, code, { forgotten: true }),
  'connect start': same(status, code, { forgotten: true }),
  'connect callback': same(status, code, { forgotten: true }),
});
const lost = same(502, 'upstream_unreachable');
const limited = (status: number, code: string): Record<Way, Outcome> =>
  everywhere(same(status, code), { 'kept read': same(200) });
const twice = same(401, 'login_required', { calls: 2, refused: 2 });

const answers: [string, Answer, Record<Way, Outcome>][] = [
  [
    '200',
    json(200),
    everywhere(same(200), {
      change: same(200, undefined, { forgotten: true }),
      'connect start': same(400, 'connect_failed', { forgotten: true }),
      'connect callback': same(303, undefined, { forgotten: true }),
    }),
  ],
  [
    '202',
    json(202),
    everywhere(same(202), {
      change: same(202, undefined, { forgotten: true }),
      'connect start': same(400, 'connect_failed', { forgotten: true }),
      'connect callback': same(400, 'connect_failed', { forgotten: true }),
    }),
  ],
  ['400', json(400), passed(400)],
  ['401 that blames the token', json(401, bearer('invalid_token')), everywhere(twice)],
  [
    '401 for want of a DPoP nonce',
    json(401, { 'www-authenticate': 'DPoP error="use_dpop_nonce"' }),
    everywhere(twice),
  ],
  [
    '401 for a fresher sign-in',
    json(401, bearer('insufficient_user_authentication')),
    everywhere(same(403, 'step_up_required')),
  ],
  [
    '401 without a reason',
    json(401),
    // What completes a connection brings a code: its refusal may be about that.
    everywhere(twice, { 'connect callback': same(400, 'connect_failed', { refused: 1 }) }),
  ],
  [
    '403 for more scope, by header',
    json(403, bearer('insufficient_scope')),
    everywhere(same(403, 'step_up_required')),
  ],
  [
    '403 for more scope, by body',
    json(403, {}, scopeCode),
    everywhere(same(403, 'step_up_required')),
  ],
  ['403 of another kind', json(403), passed(403)],
  ['404', json(404), passed(404)],
  ['409', json(409), passed(409)],
  ['429 of the user', json(429, { 'retry-after': '7' }), limited(429, 'rate_limited')],
  [
    '429 of the user until a date',
    (res, req) => {
      json(429, { 'retry-after': new Date(Date.now() + 7_000).toUTCString() })(res, req);
    },
    limited(429, 'rate_limited'),
  ],
  ['429 of the tenant', json(429, { ...tenant, 'retry-after': '7' }), limited(503, 'tenant_busy')],
  [
    '429 of the tenant until a date',
    (res, req) => {
      json(429, { ...tenant, 'retry-after': new Date(Date.now() + 7_000).toUTCString() })(res, req);
    },
    limited(503, 'tenant_busy'),
  ],
  [
    '503',
    json(503),
    everywhere(same(503), {
      change: same(503, undefined, { forgotten: true }),
      'connect start': same(502, 'upstream_unreachable', { forgotten: true }),
      'connect callback': same(502, 'upstream_unreachable', { forgotten: true }),
    }),
  ],
  [
    'broken in the middle',
    (res) => {
      res.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
      res.write('{', () => res.destroy());
    },
    everywhere(same('broken'), {
      ...unknown(502, 'upstream_unreachable'),
      change: same('broken', undefined, { forgotten: true }),
    }),
  ],
  [
    'late',
    () => undefined,
    everywhere(same(504, 'upstream_timeout'), unknown(504, 'upstream_timeout')),
  ],
  [
    'compressed, though nobody asked for that',
    (res) =>
      void res
        .writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
        .end(gzipSync('{}')),
    everywhere(lost, unknown(502, 'upstream_unreachable')),
  ],
  ['of a status that is none', json(799), everywhere(lost, unknown(502, 'upstream_unreachable'))],
  [
    'a page of something in between',
    (res) => void res.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Sign in</h1>'),
    everywhere(lost, unknown(502, 'upstream_unreachable')),
  ],
  [
    'a redirect',
    json(302, { location: 'https://evil.example/' }),
    everywhere(lost, unknown(502, 'upstream_unreachable')),
  ],
];
const ways = Object.keys(answers[0]?.[2] ?? {}) as Way[];

const begun = {
  connect_uri: 'https://provider.example/start',
  auth_session: 'an auth session',
  connect_params: { ticket: 'a ticket' },
};

describe.each(ways)('%s', (way) => {
  const methods = '/api/me/v1/authentication-methods';
  const accounts = '/api/me/v1/connected-accounts/accounts';
  const list = way.startsWith('connect') ? accounts : methods;
  let upstream: Upstream;
  let origin: string;
  let close: () => Promise<void>;
  let refused: number;
  let limiter: ReturnType<typeof openLimiter>;

  beforeAll(async () => {
    upstream = await startUpstream();
  });
  afterAll(() => upstream.close());
  beforeEach(async () => {
    upstream.respond = (req, res) => {
      json(200)(res, req);
    };
    refused = 0;
    limiter = openLimiter();
    const session = sessionOf();
    const challenge: Challenge = ({ scope, reason }) =>
      new Failure('step_up_required', { members: { scope, reason } });
    const tokens = tokensOf(
      (of) => usable(of),
      () => (refused += 1),
    );
    const seal = createSeal([randomBytes(32).toString('hex')], 'kept answers');
    const api = createApi(upstream.origin, {
      tokens,
      challenge,
      limiter: limiter.limiter,
      sessions: from(session),
      cache: { ...memoryStores(), seal, freshMs: 30_000 },
      answerMs: 400,
    });
    const app = express();
    const server = createServer(app as Parameters<typeof createServer>[1]);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const log = createLog({ level: 'silent' });
    const connect = {
      ...{ client: api.client, upstream: upstream.origin, challenge, tokens, origin, log, seal },
      pending: createPending<Connecting>({
        ...{
          store: createMemoryStore(),
          origin,
          name: 'connect_',
          sameSite: 'lax',
          lifetimeMs: 600_000,
        },
        seal,
      }),
    };
    app.use('/api/me', api.account);
    app.use((req, _res, next) => {
      req.account = session;
      next();
    });
    app.get('/auth/connect', createConnectStart(connect));
    app.get('/auth/connect/callback', createConnectCallback(connect));
    app.use(createErrorHandler({ log }));
    close = async () => {
      api.close();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    };
  });
  afterEach(() => close());

  const get = (path: string) => request(origin).get(path);
  const send: Record<Way, () => Promise<request.Response>> = {
    'kept read': async () => get(list).set('Cache-Control', 'no-cache'),
    'plain read': async () => get('/api/me/v1/factors'),
    change: async () => request(origin).post(methods).send({ type: 'totp' }),
    'connect start': async () => get('/auth/connect?connection=google-oauth2'),
    'connect callback': async () => get(callback.path).set('Cookie', callback.cookie),
  };
  const callback = { path: '', cookie: '' };
  const begin = async (): Promise<void> => {
    upstream.respond = (req, res) => {
      json(201, {}, begun)(res, req);
    };
    const started = await get('/auth/connect?connection=google-oauth2');
    expect(started.status).toBe(302);
    const { state } = JSON.parse(upstream.seen.at(-1)?.body ?? '{}') as { state: string };
    callback.path = `/auth/connect/callback?${new URLSearchParams({ state, connect_code: 'a-code' }).toString()}`;
    callback.cookie = String(started.headers['set-cookie']).split(';')[0] ?? '';
    upstream.respond = (req, res) => {
      json(200)(res, req);
    };
  };

  test.each(answers)('%s', async (_name, answer, outcomes) => {
    if (way === 'connect callback') await begin();
    // Something to be forgotten.
    expect((await get(list)).status).toBe(200);
    const before = upstream.seen.length;
    upstream.respond = (req, res) => {
      answer(res, req);
    };
    const got = await send[way]().then(
      ({ status, body }) => ({ status, code: (body as { code?: string }).code }),
      () => ({ status: 'broken' as const, code: undefined }),
    );
    const calls = upstream.seen.length - before;
    upstream.respond = (req, res) => {
      json(200)(res, req);
    };
    const shown = await get(list);
    const forgotten = !String(shown.headers['cache-status']).includes('hit');
    const { status, code } = got;
    const seen = { status, ...(code !== undefined && { code }), calls, refused, forgotten };
    // Each answer costs its places in the budget, and none comes back: every request was sent.
    expect([seen, limiter.givenBack()]).toEqual([outcomes[way], 0]);
  });
});
