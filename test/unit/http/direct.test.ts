import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import { afterAll, describe, expect, test } from '@jest/globals';
import express, { type RequestHandler } from 'express';
import request from 'supertest';
import { createDirect, inTurn } from '../../../src/gateway/http/direct.ts';
import { createGateway } from '../../../src/gateway/index.ts';

describe('the way past the router', () => {
  const gateway = createGateway(
    {
      AUTH0_DOMAIN: 'http://127.0.0.1:9',
      AUTH0_CLIENT_ID: 'client',
      AUTH0_CLIENT_SECRET: 'a secret of the tests',
      AUTH0_SECRET: 'a secret of the tests that is long enough to seal with',
      APP_BASE_URL: 'http://localhost:3000',
    },
    { log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined } },
  );
  afterAll(async () => gateway.close());

  test.each([
    ['GET', '/api/me/v1/factors', {}],
    ['GET', '/api/me/v1/factors', { accept: 'text/html', 'sec-fetch-mode': 'navigate' }],
    ['GET', '/api/me/v1/factors', { 'sec-fetch-site': 'cross-site' }],
    ['GET', '/api/me/v1/..%2f', { cookie: 'my_account_session=nonsense' }],
    ['POST', '/api/me/v1/authentication-methods', { 'content-type': 'text/plain' }],
    ['TRACE', '/api/me/', {}],
    ['GET', '/api/me', {}],
    ['GET', '/API/ME/v1/factors', {}],
    ['GET', '/api/me//v1/factors', {}],
    ['GET', '/api/mean', {}],
    ['GET', '/auth/session', { 'sec-fetch-site': 'same-origin' }],
  ] as const)('answers %s %s as the application does: %j', async (method, path, headers) => {
    const ask = async (handler: RequestListener) => {
      const asked = request(createServer(handler));
      const verb = method === 'POST' ? 'post' : method === 'TRACE' ? 'trace' : 'get';
      const answer = await asked[verb](path).set(headers).redirects(0);
      const told = Object.fromEntries(
        Object.entries(answer.headers as Record<string, string>).filter(
          ([name]) => !['x-request-id', 'date', 'content-length'].includes(name),
        ),
      );
      return { status: answer.status, told, text: answer.text.replaceAll(/[\da-f]{8}-[\da-f-]{27}/g, 'id') };
    };
    expect(await ask(gateway.handler)).toEqual(await ask(gateway.app));
  });

  const unused = express().use(() => {
    throw new Error('the application was asked');
  });
  const unanswered = () => undefined;
  const failing = (handle: RequestHandler): RequestListener =>
    createDirect({
      ...{ prefix: '/short/', app: unused, unanswered, arrive: (_req, _res, next) => next(), handle },
      failed: (error, _req, res, _next) => void res.writeHead(500).end(String(error)),
    });

  test('does not ask the application, and answers what is thrown and what is rejected', async () => {
    const ask = async (handle: RequestHandler): Promise<string> => (await request(createServer(failing(handle))).get('/short/x')).text;
    expect(await ask((req, res) => void res.end(req.originalUrl))).toBe('/short/x');
    expect(
      await ask(() => {
        throw new Error('thrown');
      }),
    ).toBe('Error: thrown');
    expect(await ask(() => Promise.reject(new Error('rejected')))).toBe('Error: rejected');
  });

  test('handlers in turn end with the first that fails', async () => {
    const met: string[] = [];
    const step =
      (name: string, error?: Error): RequestHandler =>
      (_req, _res, next) => {
        met.push(name);
        next(error);
      };
    const broken = new Error('second');
    const handler = createDirect({
      ...{
        prefix: '/',
        app: unused,
        unanswered,
        arrive: inTurn(step('first'), step('second', broken), step('third')),
        handle: step('handle'),
      },
      failed: (error, _req, res, _next) => void res.end(String(error === broken)),
    });
    expect((await request(createServer(handler)).get('/')).text).toBe('true');
    expect(met).toEqual(['first', 'second']);
  });
});
