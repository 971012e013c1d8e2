import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createRedis, type Redis } from '../../../../src/gateway/redis/client.ts';
import { startRedis, type RedisServer } from '../../../helpers/redis.ts';

// As text: lists of bytes are compared one by one.
const hex = (bytes: unknown): string =>
  Buffer.isBuffer(bytes) ? bytes.toString('hex') : 'no bytes';

let server: RedisServer;
let redis: Redis;
beforeAll(async () => {
  server = await startRedis();
  redis = createRedis({ url: server.url }, { info: () => undefined, warn: () => undefined });
  await redis.opened(60_000);
});
afterAll(async () => {
  await redis.close();
  await server.stop();
});

test('what a script answers arrives as Redis itself would send it: bytes, whole numbers, nothing, and lists of them', async () => {
  const whole = fc.oneof(fc.integer(), fc.integer({ min: -(2 ** 40), max: 2 ** 40 }));
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.constantFrom(255, 256, 65_535, 65_536).map((length) => new Uint8Array(length)),
  );
  const script = redis.script(
    'return function(KEYS, ARGV) return { { ARGV[1], tonumber(ARGV[2]) }, tonumber(ARGV[2]) + 0.5, { ok = "fine" }, false, true, {}, ARGV[1] } end',
    { replies: 'bytes' },
  );
  await fc.assert(
    fc.asyncProperty(
      bytes.map((each) => Buffer.from(each)),
      whole,
      async (text, number) => {
        const [pair, fraction, ...rest] = (await script(['x'], [text, number])) as [
          unknown[],
          number,
          ...unknown[],
        ];
        expect([hex(pair[0]), pair[1]]).toEqual([hex(text), number]);
        expect(fraction).toBe(Math.trunc(number + 0.5) + 0);
        expect(rest.map((each) => (Buffer.isBuffer(each) ? hex(each) : each))).toEqual([
          hex(Buffer.from('fine')),
          null,
          1,
          [],
          hex(text),
        ]);
      },
    ),
    { numRuns: 300 },
  );
});

test('a list of 65,536', async () => {
  const script = redis.script(
    'return function(KEYS, ARGV) local all = {} for i = 1, tonumber(ARGV[1]) do all[i] = i end return all end',
  );
  for (const length of [16, 65_536]) {
    expect(String(await script(['x'], [length]))).toBe(
      String(Array.from({ length }, (_, i) => i + 1)),
    );
  }
});

test('binary arguments arrive byte for byte beside text and numbers, with the prefix before each key', async () => {
  const script = redis.script(
    "return function(KEYS, ARGV) redis.call('SET', KEYS[1], ARGV[1]) return { redis.call('GET', KEYS[1]), ARGV[2], ARGV[3], KEYS[1] } end",
    { replies: 'bytes' },
  );
  const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  expect(await script(['bytes'], [all, '\u00fc\u{1f511}', -1.5])).toEqual([
    all,
    Buffer.from('\u00fc\u{1f511}'),
    Buffer.from('-1.5'),
    Buffer.from('mab:bytes'),
  ]);
});
