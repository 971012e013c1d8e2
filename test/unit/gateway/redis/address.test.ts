import { describe, expect, test } from '@jest/globals';
import { readRedisAddress } from '../../../../src/gateway/redis/address.ts';

describe('a Redis address', () => {
  test('names one server, with database, user and password', () => {
    expect(readRedisAddress('redis://ann:p%40ss%3Aword@cache.example:6380/3')).toEqual({
      kind: 'single',
      endpoint: { host: 'cache.example', port: 6380 },
      db: 3,
      tls: false,
      username: 'ann',
      password: 'p@ss:word',
    });
  });

  test('with rediss:// means TLS, and an IPv6 host stands in brackets', () => {
    expect(readRedisAddress('rediss://:secret@[::1]')).toEqual({
      kind: 'single',
      endpoint: { host: '::1', port: 6379 },
      db: 0,
      tls: true,
      password: 'secret',
    });
  });

  test('names the Sentinels and the primary they watch', () => {
    expect(
      readRedisAddress('redis+sentinel://:pw@one:26379,two/mymaster/2?sentinelPassword=watch'),
    ).toEqual({
      kind: 'sentinel',
      sentinels: [
        { host: 'one', port: 26379 },
        { host: 'two', port: 26379 },
      ],
      name: 'mymaster',
      db: 2,
      tls: false,
      password: 'pw',
      sentinelPassword: 'watch',
    });
  });

  test('names the nodes of a Cluster', () => {
    expect(readRedisAddress('rediss+cluster://one:7000,two:7001')).toEqual({
      kind: 'cluster',
      nodes: [
        { host: 'one', port: 7000 },
        { host: 'two', port: 7001 },
      ],
      tls: true,
    });
  });

  test('names a unix socket', () => {
    expect(readRedisAddress('redis+unix:///run/redis.sock?db=1')).toEqual({
      kind: 'socket',
      path: '/run/redis.sock',
      db: 1,
      tls: false,
    });
  });

  test.each([
    ['http://host', /form/],
    ['redis://one,two', /sentinel/],
    ['redis://host:99999', /port/],
    ['redis://host/abc', /number/],
    ['redis+sentinel://one:26379', /name of the primary/],
    ['redis+cluster://one:7000/2', /only database 0/],
    ['redis+unix://relative', /absolute/],
  ])('that cannot be read is refused in words: %s', (url, words) => {
    expect(() => readRedisAddress(url)).toThrow(words);
  });

  test('that cannot be read never shows its password', () => {
    expect(() => readRedisAddress('redis://:hush@host:0')).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('hush') }),
    );
  });
});
