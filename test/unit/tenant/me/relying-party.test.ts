import { expect, test } from '@jest/globals';
import { originFits, relyingPartyId } from '../../../../src/tenant/me/relying-party.ts';

test.each([
  ['https://login.example.com', 'login.example.com'],
  ['http://tenant.localhost:4000', 'tenant.localhost'],
  ['http://127.0.0.1:4000', 'localhost'],
  ['http://[::1]:4000', 'localhost'],
])('the relying party of a tenant at %s is %s', (origin, id) => {
  expect(relyingPartyId(origin)).toBe(id);
});

test.each([
  ['https://example.com', 'example.com', true],
  ['https://app.example.com', 'example.com', true],
  ['http://localhost:3000', 'localhost', true],
  ['http://app.localhost:3000', 'localhost', true],
  ['http://example.com', 'example.com', false],
  ['https://evilexample.com', 'example.com', false],
  ['https://example.com', 'login.example.com', false],
  ['http://127.0.0.1:3000', 'localhost', false],
  ['nonsense', 'localhost', false],
])('a page at %s and the relying party %s: %s', (origin, id, fits) => {
  expect(originFits(origin, id)).toBe(fits);
});
