import { expect, test } from '@jest/globals';
import { isNavigation } from '../../../src/gateway/http/navigation.ts';
import { securityHeaders } from '../../../src/gateway/http/security-headers.ts';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';

const headers = (https: boolean) =>
  Object.fromEntries(securityHeaders({ https, formTargets: ['https://tenant.example'] }));

test('over https: the headers of ASVS 3.4, and a policy without unsafe-inline', () => {
  const all = headers(true);
  expect(all['strict-transport-security']).toBe('max-age=63072000; includeSubDomains');
  expect(all['x-content-type-options']).toBe('nosniff');
  expect(all['referrer-policy']).toBe('no-referrer');
  expect(all['cross-origin-resource-policy']).toBe('same-origin');
  expect(all['x-frame-options']).toBe('DENY');
  const policy = all['content-security-policy'] ?? '';
  expect(policy).not.toContain('unsafe');
  for (const part of [
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "object-src 'none'",
    "form-action 'self' https://tenant.example",
  ]) {
    expect(policy).toContain(part);
  }
});

test('over plain http on localhost: nothing that would turn it into https', () => {
  const all = headers(false);
  expect(all).not.toHaveProperty('strict-transport-security');
  expect(all['content-security-policy']).not.toContain('upgrade-insecure-requests');
});

test.each([
  ['a link', 'GET', { 'sec-fetch-mode': 'navigate' }, true],
  ['a form', 'POST', { 'sec-fetch-mode': 'navigate' }, true],
  ['a fetch that likes HTML', 'GET', { 'sec-fetch-mode': 'cors', accept: 'text/html' }, false],
  [
    'an old browser opening a page',
    'GET',
    { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' },
    true,
  ],
  ['an old browser posting', 'POST', { accept: 'text/html' }, false],
  ['a script', 'GET', { accept: 'application/json, text/html' }, false],
  ['curl', 'GET', { accept: '*/*' }, false],
])('%s is told apart from a script', (_name, method, sent, expected) => {
  const req = new IncomingMessage(new Socket());
  req.method = method;
  Object.assign(req.headers, sent);
  expect(isNavigation(req)).toBe(expected);
});
