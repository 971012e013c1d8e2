import { describe, expect, test } from '@jest/globals';
import express from 'express';
import request from 'supertest';
import { createErrorHandler } from '../../../src/gateway/http/error-handler.ts';
import { createLog } from '../../../src/gateway/http/log.ts';
import { createSameOrigin } from '../../../src/gateway/http/same-origin.ts';

const origin = 'https://account.example';
const app = express();
app.use(createSameOrigin({ origin }));
app.use((_req, res) => {
  res.json({ ok: true });
});
app.use(createErrorHandler({ log: createLog({ level: 'silent' }) }));

const accepted: [string, string, Record<string, string>][] = [
  [
    'a read by the page itself',
    'GET',
    { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'cors' },
  ],
  ['a write by the page itself', 'POST', { 'Sec-Fetch-Site': 'same-origin', Origin: origin }],
  ['an address typed by hand', 'GET', { 'Sec-Fetch-Site': 'none', 'Sec-Fetch-Mode': 'navigate' }],
  ['an old browser that sends Origin only', 'POST', { Origin: origin }],
  ['a script outside a browser with the header', 'DELETE', { 'X-CSRF': '1' }],
];
const refused: [string, string, Record<string, string>][] = [
  [
    'a fetch from another site',
    'GET',
    { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors' },
  ],
  [
    'a link on another site',
    'GET',
    { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate' },
  ],
  [
    'a form on another site',
    'POST',
    {
      'Sec-Fetch-Site': 'cross-site',
      'Sec-Fetch-Mode': 'navigate',
      Origin: 'https://evil.example',
    },
  ],
  [
    'a sibling subdomain',
    'POST',
    { 'Sec-Fetch-Site': 'same-site', Origin: 'https://blog.account.example' },
  ],
  ['a sibling subdomain, reading', 'GET', { 'Sec-Fetch-Site': 'same-site' }],
  [
    'another site with the anti-forgery header',
    'POST',
    { 'Sec-Fetch-Site': 'cross-site', 'X-CSRF': '1' },
  ],
  ['a site value nobody has defined', 'GET', { 'Sec-Fetch-Site': 'friendly', 'X-CSRF': '1' }],
  ['the same value twice', 'GET', { 'Sec-Fetch-Site': 'same-origin, same-origin' }],
  ['a write typed by hand', 'POST', { 'Sec-Fetch-Site': 'none', 'Sec-Fetch-Mode': 'navigate' }],
  [
    'a fetch that claims to be typed by hand',
    'GET',
    { 'Sec-Fetch-Site': 'none', 'Sec-Fetch-Mode': 'cors' },
  ],
  ['another origin', 'POST', { Origin: 'https://account.example.evil.example' }],
  ['another scheme', 'POST', { Origin: 'http://account.example' }],
  ['a sandboxed frame', 'POST', { Origin: 'null' }],
  [
    'another origin, whatever Sec-Fetch-Site says',
    'POST',
    { 'Sec-Fetch-Site': 'same-origin', Origin: 'https://evil.example' },
  ],
  ['neither header', 'GET', {}],
  ['neither header and another value', 'POST', { 'X-CSRF': 'true' }],
];

const send = (method: string, headers: Record<string, string>) =>
  method === 'GET'
    ? request(app).get('/').set(headers)
    : method === 'POST'
      ? request(app).post('/').set(headers)
      : request(app).delete('/').set(headers);

describe('requests that only our own page can cause', () => {
  test.each(accepted)('pass: %s', async (_name, method, headers) => {
    expect((await send(method, headers)).status).toBe(200);
  });
  test.each(refused)('are refused: %s', async (_name, method, headers) => {
    const answer = await send(method, { Accept: 'application/json', ...headers });
    expect(answer.status).toBe(403);
    if (headers['Sec-Fetch-Mode'] !== 'navigate')
      expect(answer.body).toMatchObject({ code: 'cross_site_request', status: 403 });
  });
});
