import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { pathOf, readReturnTo } from '../../../src/gateway/http/return-to.ts';

const origin = 'https://account.example.com';

describe('the way back', () => {
  test.each([
    '/',
    '/account',
    '/account?tab=mfa&x=1#factors',
    'https://account.example.com/deep?a=b',
  ])('keeps %s, an address of our own', (asked) => {
    expect(readReturnTo(asked, origin)).toBe(new URL(asked, origin).href);
  });

  test.each([
    '//evil.example',
    '/\\evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    '\\\\evil.example',
    'https://evil.example/',
    'https:evil.example',
    'https:///evil.example',
    'https://account.example.com.evil.example/',
    'https://account.example.com@evil.example/',
    'https://user:password@account.example.com/',
    'http://account.example.com/',
    'https://account.example.com:8443/',
    'javascript:alert(1)',
    'data:text/html,x',
    ' //evil.example',
    '/%09//evil.example/../..//evil.example',
    'x'.repeat(2_000),
    undefined,
    ['/a', '/b'],
    null,
  ])('never leaves our origin for %j', (asked) => {
    expect(new URL(readReturnTo(asked, origin)).origin).toBe(origin);
  });

  test('is an address of our own for any text at all, as address and as path', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.webUrl(),
          fc.string({
            unit: fc.constantFrom('/', '\\', '.', '\t', '@', ':', 'e', '%2f', '#', '?'),
          }),
        ),
        (asked) => {
          const back = readReturnTo(asked, origin);
          expect(new URL(back).origin).toBe(origin);
          expect(new URL(pathOf(back), origin).origin).toBe(origin);
        },
      ),
      { numRuns: 5_000 },
    );
  });
});
