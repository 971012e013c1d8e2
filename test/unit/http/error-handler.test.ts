import { Writable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import express from 'express';
import request from 'supertest';
import { createErrorHandler } from '../../../src/gateway/http/error-handler.ts';
import { Failure, failures } from '../../../src/gateway/http/errors.ts';
import type { FailureCode } from '../../../src/gateway/http/errors.ts';
import { createLog } from '../../../src/gateway/http/log.ts';
import { createRequestId } from '../../../src/gateway/http/request-id.ts';

function appThatThrows(error: unknown) {
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
  const app = express();
  app.use(createRequestId());
  app.use(() => {
    throw error;
  });
  app.use(createErrorHandler({ log: createLog({ destination }) }));
  return { app, lines };
}
const page = { 'Sec-Fetch-Mode': 'navigate', Accept: 'text/html' };
const codes = Object.keys(failures).map((code) => [code as FailureCode]);

describe('a failure answered to a script', () => {
  test.each(codes)('%s is a problem document with its code, never cacheable', async (code) => {
    const { app } = appThatThrows(
      new Failure(code, { detail: 'Why.', cause: new Error('inner secret') }),
    );
    const answer = await request(app).get('/').set('Sec-Fetch-Mode', 'cors');
    expect(answer.status).toBe(failures[code].status);
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(answer.headers['cache-control']).toBe('no-store');
    const body = answer.body as Record<string, unknown>;
    expect(body).toMatchObject({
      code,
      status: failures[code].status,
      title: failures[code].title,
      detail: 'Why.',
    });
    expect(body['instance']).toBe(`urn:uuid:${String(answer.headers['x-request-id'])}`);
    expect(answer.text).not.toContain('inner secret');
  });

  test('a 401 names a way in (RFC 9110 section 15.5.2) and says where', async () => {
    const answer = await request(appThatThrows(new Failure('login_required')).app).get('/');
    expect(answer.headers['www-authenticate']).toBe('Session realm="account"');
    expect(answer.body).toMatchObject({ loginUrl: '/auth/login' });
  });

  test('the unexpected is logged whole and answered empty', async () => {
    const { app, lines } = appThatThrows(new TypeError('the database is at 10.0.0.7'));
    const answer = await request(app).get('/');
    expect(answer.status).toBe(500);
    expect(answer.text).not.toMatch(/10\.0\.0\.7|TypeError/);
    expect(lines.join('')).toContain('the database is at 10.0.0.7');
  });

  test.each([
    [400, 'invalid_request'],
    [413, 'body_too_large'],
    [415, 'unsupported_media_type'],
  ])('an error of Express with status %d becomes %s', async (status, code) => {
    const answer = await request(
      appThatThrows(Object.assign(new Error('internals'), { status })).app,
    ).get('/');
    expect(answer.body).toMatchObject({ code });
    expect(answer.text).not.toContain('internals');
  });
});

describe('a failure answered to a person', () => {
  test('who must sign in is sent there and back', async () => {
    const answer = await request(appThatThrows(new Failure('login_required')).app)
      .get('/a?b=c&d')
      .set(page);
    expect(answer.status).toBe(302);
    expect(answer.headers['location']).toBe('/auth/login?returnTo=%2Fa%3Fb%3Dc%26d');
  });

  test('who must step up is sent there', async () => {
    const failure = new Failure('step_up_required', {
      members: { stepUpUrl: '/auth/step-up?scope=x' },
    });
    const answer = await request(appThatThrows(failure).app).get('/').set(page);
    expect(answer.status).toBe(302);
    expect(answer.headers['location']).toBe('/auth/step-up?scope=x');
  });

  test('a form is answered with 303, so that it is not sent again', async () => {
    const answer = await request(appThatThrows(new Failure('login_required')).app)
      .post('/')
      .set(page);
    expect(answer.status).toBe(303);
  });

  test('everything else is a page with a way on, and markup in it stays text', async () => {
    const failure = new Failure('login_failed', {
      detail: '<script>alert(1)</script>',
      members: { loginUrl: '/auth/login?returnTo=%2Fa' },
    });
    const answer = await request(appThatThrows(failure).app).get('/').set(page);
    expect(answer.status).toBe(400);
    expect(answer.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(answer.text).toContain('href="/auth/login?returnTo=%2Fa"');
    expect(answer.text).toContain('&lt;script&gt;');
    expect(answer.text).not.toContain('<script');
  });

  test.each([
    '//evil.example',
    '/\\evil.example',
    'https://evil.example',
    'javascript:alert(1)',
    '/a"onclick="x',
  ])('the way on never leaves this gateway: %s', async (loginUrl) => {
    const answer = await request(
      appThatThrows(new Failure('login_expired', { members: { loginUrl } })).app,
    )
      .get('/')
      .set(page);
    expect(answer.text).not.toContain(`href="${loginUrl}`);
    expect(answer.text).not.toContain('evil.example');
  });
});

test('an answer that breaks off half-way is broken off for the client as well', async () => {
  const app = express();
  app.use((_req, res) => {
    res.write('half');
    throw new Error('half-way');
  });
  app.use(createErrorHandler({ log: createLog({ level: 'silent' }) }));
  await expect(request(app).get('/')).rejects.toThrow(/aborted|hang up/);
});
