import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { operations } from '../../../../src/gateway/my-account/operations.ts';
import { readTarget } from '../../../../src/gateway/my-account/target.ts';
import { Failure } from '../../../../src/gateway/http/errors.ts';

const codeOf = (method: string, target: string): string => {
  try {
    return readTarget(method, target, '/api/me').url;
  } catch (error) {
    if (error instanceof Failure) return error.code;
    throw error;
  }
};

describe('an address that names an operation', () => {
  test.each([
    ['GET', '/api/me/v1/factors', '/me/v1/factors'],
    ['GET', '/api/me/factors', '/me/v1/factors'],
    ['GET', '/api/me/v1/factors?', '/me/v1/factors'],
    [
      'GET',
      '/api/me/v1/authentication-methods?type=totp',
      '/me/v1/authentication-methods?type=totp',
    ],
    [
      'GET',
      '/api/me/authentication-methods/totp%7Cdev_ABCDEFGHIJKLMNOP',
      '/me/v1/authentication-methods/totp%7Cdev_ABCDEFGHIJKLMNOP',
    ],
    [
      'GET',
      '/api/me/authentication-methods/totp|dev_ABC',
      '/me/v1/authentication-methods/totp|dev_ABC',
    ],
    [
      'POST',
      '/api/me/v1/authentication-methods/passkey%7Cnew/verify',
      '/me/v1/authentication-methods/passkey%7Cnew/verify',
    ],
    [
      'POST',
      '/api/me/v1/authentication-methods/passkey%7cnew/verify',
      '/me/v1/authentication-methods/passkey%7cnew/verify',
    ],
    [
      'DELETE',
      '/api/me/v1/connected-accounts/accounts/cac_123',
      '/me/v1/connected-accounts/accounts/cac_123',
    ],
    [
      'GET',
      '/api/me/v1/connected-accounts/accounts?connection=a&connection=b&take=5',
      '/me/v1/connected-accounts/accounts?connection=a&connection=b&take=5',
    ],
  ])('%s %s goes to %s, byte for byte', (method, target, expected) => {
    expect(codeOf(method, target)).toBe(expected);
  });

  test.each(operations.map((operation) => [operation.method, operation.path, operation] as const))(
    '%s %s is found',
    (method, path, operation) => {
      expect(
        readTarget(method, `/api/me/v1${path.replace('{id}', 'totp%7Cdev_1')}`, '/api/me')
          .operation,
      ).toBe(operation);
    },
  );

  test.each([
    ['/api/me/v1/authentication-methods', 'authentication_methods_read'],
    ['/api/me/v1/authentication-methods?type=totp', 'authentication_methods_read_filtered'],
    ['/api/me/v1/authentication-methods?%74ype=totp', 'authentication_methods_read_filtered'],
    ['/api/me/v1/authentication-methods?types=totp', 'authentication_methods_read'],
    ['/api/me/v1/factors?type=totp', 'factors_read'],
  ])('%s takes from %s', (target, bucket) => {
    expect(readTarget('GET', target, '/api/me').bucket).toBe(bucket);
  });

  test('the id is decoded once, for our own use', () => {
    expect(readTarget('GET', '/api/me/authentication-methods/totp%7Cdev_1', '/api/me').id).toBe(
      'totp|dev_1',
    );
    expect(readTarget('DELETE', '/api/me/connected-accounts/accounts/cac_1', '/api/me').id).toBe(
      'cac_1',
    );
    expect(readTarget('GET', '/api/me/factors', '/api/me').id).toBeUndefined();
  });
});

describe('an address the API does not have', () => {
  test.each([
    '/api/me',
    '/api/me/',
    '/api/me/v1',
    '/api/me/v1/',
    '/api/me/v2/factors',
    '/api/me/v1/v1/factors',
    '/api/me/v1/consents',
    '/api/me/v1/organizations',
    '/api/me/v1/consents/cns_0',
    '/api/me/v1/factors/x',
    '/api/me/v1/Factors',
    '/api/me/v1/authentication%2Dmethods',
    '/api/me/v1/connected-accounts/accounts/a/b',
    '/api/me/v1/authentication-methods/a/verify/b',
    '/api/me/v1/connected-accounts',
    '/API/ME/v1/factors',
    '/api/mex/v1/factors',
    'http://evil.example/api/me/v1/factors',
    '*',
  ])('%s does not exist', (target) => {
    expect(['operation_not_found', 'invalid_request']).toContain(codeOf('GET', target));
  });

  test('another method is told which ones there are', () => {
    expect(() => readTarget('PUT', '/api/me/v1/authentication-methods/x', '/api/me')).toThrow(
      expect.objectContaining({
        code: 'method_not_allowed',
        headers: { Allow: 'GET, PATCH, DELETE' },
      }),
    );
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD', 'TRACE', 'get']) {
      expect(codeOf(method, '/api/me/v1/factors')).toBe('method_not_allowed');
    }
  });
});

describe('an address that could be read two ways is refused', () => {
  test.each([
    '/api/me/v1/../v1/factors',
    '/api/me/v1/./factors',
    '/api/me/v1/%2e%2e/factors',
    '/api/me/v1/%2E/factors',
    '/api/me/v1/.%2e/factors',
    '/api/me/v1/authentication-methods/..',
    '/api/me/v1/authentication-methods/%2e%2e',
    '/api/me/v1/authentication-methods/%2e%2e/verify',
    '/api/me/v1/authentication-methods/..%2f..%2fapi%2fv2',
    '/api/me/v1/authentication-methods/a%2Fb',
    '/api/me/v1/authentication-methods/a%5cb',
    '/api/me/v1/authentication-methods/a\\b',
    '/api/me/v1/authentication-methods/a%252fb',
    '/api/me/v1/authentication-methods/a%25',
    '/api/me/v1/authentication-methods/a%',
    '/api/me/v1/authentication-methods/a%7',
    '/api/me/v1/authentication-methods/a%zz',
    '/api/me/v1/authentication-methods/a;b=c',
    '/api/me/v1/authentication-methods/a%3Bb',
    '/api/me/v1/authentication-methods/a%00',
    '/api/me/v1/authentication-methods/a%0d%0aX: y',
    '/api/me/v1/authentication-methods/a%20b',
    '/api/me/v1/authentication-methods/a%c3%a9',
    '/api/me/v1/authentication-methods/a%e2%88%95b',
    '/api/me/v1/authentication-methods/a\u00e9',
    '/api/me/v1/authentication-methods/a#b',
    '/api/me/v1/authentication-methods/a%23b',
    '/api/me/v1/authentication-methods/a%3Fb',
    '/api/me/v1/authentication-methods//',
    '/api/me//v1/factors',
    '/api/me/v1//factors',
    '/api/me/v1/factors/',
    '/api/me/v1/factors?a\\b',
    '/api/me/v1/factors?a#b',
    '/api/me/v1/factors?\u00e9',
    `/api/me/v1/authentication-methods/${'a'.repeat(2_000)}`,
    `/api/me/v1/factors?${'a'.repeat(9_000)}`,
  ])('%s', (target) => {
    expect(codeOf('GET', target)).toBe('invalid_request');
  });
});

const piece = fc.oneof(
  fc.constantFrom(
    '/',
    '..',
    '.',
    '%2e',
    '%2F',
    '%5c',
    '\\',
    ';',
    '%00',
    '%25',
    '|',
    '%7C',
    '//',
    '?',
    '#',
    'factors',
    'v1',
    'verify',
    'authentication-methods',
    'a',
  ),
  fc.string({ minLength: 1, maxLength: 6, unit: 'binary-ascii' }),
);

describe('whatever is sent', () => {
  test('what passes is an operation under /me/v1, however often a server behind decodes and resolves it', () => {
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 8 }),
        fc.constantFrom('GET', 'POST', 'PATCH', 'DELETE'),
        (pieces, method) => {
          const target = `/api/me/v1/${pieces.join('')}`;
          let url: string;
          try {
            url = readTarget(method, target, '/api/me').url;
          } catch (error) {
            expect(error).toBeInstanceOf(Failure);
            return;
          }
          const [path = ''] = url.split('?');
          expect(target.startsWith(`/api${path}`)).toBe(true);
          const decodedOnce = decodeURIComponent(path);
          expect(decodeURIComponent(decodedOnce)).toBe(decodedOnce);
          const resolved = new URL(decodedOnce, 'https://tenant.example');
          expect(resolved.host).toBe('tenant.example');
          expect(decodeURIComponent(resolved.pathname)).toBe(decodedOnce);
          expect(decodedOnce.split('/').slice(0, 3)).toEqual(['', 'me', 'v1']);
        },
      ),
      { numRuns: 3_000 },
    );
  });

  test('the two spellings are the same operation and the same bytes', () => {
    const segment = fc.string({
      minLength: 1,
      maxLength: 20,
      unit: fc.constantFrom('a', 'Z', '0', '_', '-', '~', '%7C', '|', ':', '.', 'x'),
    });
    fc.assert(
      fc.property(segment, (id) => {
        fc.pre(!/^\.{1,2}$/.test(id));
        expect(codeOf('GET', `/api/me/authentication-methods/${id}`)).toBe(
          codeOf('GET', `/api/me/v1/authentication-methods/${id}`),
        );
      }),
    );
  });

  test('a 50 kB address is refused at once', () => {
    expect(codeOf('GET', `/api/me/v1/${'%7C/'.repeat(12_500)}`)).toBe('invalid_request');
  });
});
