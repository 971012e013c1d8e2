import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { expireCookie, parseCookies, writeCookies } from '../../../src/gateway/http/cookies.ts';

const namesIn = (header: string): string[] => parseCookies(header).map(({ name }) => name);

describe('a Cookie header', () => {
  test('is parted at semicolons, and nothing else makes a cookie', () => {
    expect(parseCookies('a=b; c=d=e;f=; g')).toEqual([
      { name: 'a', value: 'b' },
      { name: 'c', value: 'd=e' },
      { name: 'f', value: '' },
      { name: '', value: 'g' },
    ]);
    expect(parseCookies(undefined)).toEqual([]);
    expect(parseCookies(' ; ;\t;')).toEqual([]);
  });

  test.each([
    ['a space', 'x=y __Host-id=stolen'],
    ['a tab', 'x=y\t__Host-id=stolen'],
    ['a comma', 'x=y,__Host-id=stolen'],
    ['a no-break space before the name', '\u00a0__Host-id=stolen'],
    ['a no-break space after the name', '__Host-id\u00a0=stolen'],
    ['a next-line character', 'x=y\u0085__Host-id=stolen'],
    ['a byte order mark', '\ufeff__Host-id=stolen'],
    ['a quoted value', 'x="y __Host-id=stolen"'],
    ['a vertical tab', 'x=y; \u000b__Host-id=stolen'],
    ['a name in capitals', '__HOST-ID=stolen'],
    ['a name in quotes', '"__Host-id"=stolen'],
    ['a percent-encoded name', '%5F_Host-id=stolen'],
  ])('with %s holds no cookie of a name that the browser did not send', (_what, header) => {
    expect(parseCookies(header).length).toBeGreaterThan(0);
    expect(namesIn(header)).not.toContain('__Host-id');
  });

  test('of any kind is read without a failure, and every name stood at the start of it or behind a semicolon', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (header) => {
        const starts = header.split(';').map((part) => part.replace(/^[ \t]+/, ''));
        return parseCookies(header).every(({ name, value }) =>
          starts.some(
            (start) =>
              start.startsWith(name === '' ? value : `${name}=`) || start.startsWith(`=${value}`),
          ),
        );
      }),
    );
  });

  test('is written as it was read', () => {
    expect(writeCookies(parseCookies('a=b;  c ; d==e'))).toBe('a=b; c; d==e');
  });

  test('of 64 kB is read once: the work grows with its length and not with its square', () => {
    for (const hostile of [';', 'a;', '=', '==;', ' ;', 'a=b;']) {
      const header = hostile.repeat(65_536 / hostile.length);
      expect(parseCookies(header).length).toBeLessThanOrEqual(header.length);
    }
  });
});

describe('ending a cookie wherever it may lie', () => {
  const places = (path: string, host = 'app.example.com'): string[] =>
    expireCookie('id', { host, path, secure: true }).map((each) =>
      each
        .replace(/^id=; /, '')
        .replace(/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax; Secure$/, ''),
    );

  test('reaches the own path and every parent of the path, with and without a slash at the end', () => {
    expect(places('/api/me/x', 'localhost')).toEqual(
      ['/', '/api', '/api/', '/api/me', '/api/me/', '/api/me/x'].map((path) => `Path=${path}`),
    );
    expect(places('/', 'localhost')).toEqual(['Path=/']);
  });

  test('reaches cookies of the domains above, and never names a top level domain or an address', () => {
    expect(places('/')).toEqual([
      'Path=/',
      'Domain=app.example.com; Path=/',
      'Domain=example.com; Path=/',
    ]);
    expect(places('/', '127.0.0.1')).toEqual(['Path=/']);
    expect(places('/', '[::1]')).toEqual(['Path=/']);
  });

  test('plants no attribute through the path, and stays below what proxies take for a head', () => {
    expect(places('/a;Domain=evil.example/b\u00e9/c d', 'localhost')).toEqual(['Path=/']);
    const deep = expireCookie('__Host-my_account_session', {
      host: 'a.b.c.d.example.com',
      path: '/abc'.repeat(4_000),
      secure: true,
    });
    expect(deep.length).toBeLessThanOrEqual(24);
    expect(deep.join('').length).toBeLessThan(4_000);
  });
});
