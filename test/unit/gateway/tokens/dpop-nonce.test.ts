import { expect, test } from '@jest/globals';
import { createDpopNonces } from '../../../../src/gateway/tokens/dpop.ts';

const api = 'https://tenant.example/me/v1/factors';
const challenge = (nonce?: string | string[]) => ({
  'www-authenticate': 'DPoP error="use_dpop_nonce"',
  ...(nonce !== undefined && { 'dpop-nonce': nonce }),
});
const make = () => createDpopNonces(['https://tenant.example']);

test('a nonce that a challenge of the API brings is used from then on', () => {
  const nonces = make();
  expect(nonces.of(api)).toBeUndefined();
  expect(nonces.rejected(api, challenge('one'))).toBe(true);
  expect(nonces.of(api)).toBe('one');
  expect(nonces.of('https://tenant.example/other')).toBe('one');
});

test('one that is refused is dropped, and the one that comes instead is used', () => {
  const nonces = make();
  nonces.rejected(api, challenge('one'));
  nonces.rejected(api, challenge('two'));
  expect(nonces.of(api)).toBe('two');
  expect(nonces.rejected(api, { 'www-authenticate': 'DPoP error="invalid_token"' })).toBe(false);
  expect(nonces.of(api)).toBeUndefined();
});

test.each([
  ['of 12,000 characters', 'n'.repeat(12_000)],
  ['of 257 characters', 'n'.repeat(257)],
  ['that is empty', ''],
  ['with a quote', 'a"b'],
  ['with a line break', 'a\r\nb'],
  ['that is two', ['a', 'b']],
  ['that is missing', undefined],
])('a nonce %s is not learned, and the one before is dropped', (_what, nonce) => {
  const nonces = make();
  nonces.rejected(api, challenge('one'));
  nonces.rejected(api, challenge(nonce));
  expect(nonces.of(api)).toBeUndefined();
});

test('a nonce beside any other 401 is not learned', () => {
  const nonces = make();
  nonces.rejected(api, { 'www-authenticate': 'DPoP error="invalid_token"', 'dpop-nonce': 'one' });
  nonces.rejected(api, { 'dpop-nonce': 'one' });
  expect(nonces.of(api)).toBeUndefined();
});

test('a nonce of another origin is neither learned nor sent there', () => {
  const nonces = make();
  nonces.rejected('https://elsewhere.example/', challenge('theirs'));
  nonces.rejected(api, challenge('one'));
  expect(nonces.of('https://elsewhere.example/')).toBeUndefined();
});
