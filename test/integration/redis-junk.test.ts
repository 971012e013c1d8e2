import { afterEach, expect, test } from '@jest/globals';
import { createRedis, type Redis } from '../../src/gateway/redis/client.ts';
import type { Person } from '../helpers/person.ts';
import { startWorld, type World } from '../helpers/world.ts';

const methods = '/api/me/v1/authentication-methods';
const quiet = { info: () => undefined, warn: () => undefined };
const settings = {
  RATE_LIMIT_USER_READ: '100000',
  RATE_LIMIT_USER_WRITE: '100000',
  RATE_LIMIT_TENANT_READ: '1000',
};
let world: World;
let redis: Redis;
afterEach(async () => {
  await redis.close();
  await world.close();
});

const kinds = [
  'another type',
  'a short text',
  'long noise',
  'bytes of zero',
  'numbers that are none',
  'numbers without end',
] as const;
type Kind = (typeof kinds)[number];
const bytes: Partial<Record<Kind, Buffer>> = {
  'a short text': Buffer.from('x'),
  'long noise': Buffer.from('noise '.repeat(100)),
  'bytes of zero': Buffer.alloc(200),
  'numbers that are none': Buffer.alloc(72, 255),
  'numbers without end': Buffer.from('fff0000000000000'.repeat(9), 'hex'),
};

/** Puts junk in the place of what a key holds: under the key itself, or in every field or member of it. */
const spoil = async (key: string, kind: Kind): Promise<void> => {
  const type = String(await redis.command('TYPE', key));
  const value = bytes[kind];
  if (value === undefined) {
    await redis.command('DEL', key);
    await redis.command(type === 'list' ? 'SET' : 'RPUSH', key, 'junk');
  } else if (type === 'hash') {
    for (const field of (await redis.command('HKEYS', key)) as string[])
      await redis.command('HSET', key, field, value);
    await redis.command('HSET', key, value, value);
  } else if (key.endsWith(':tenant')) {
    // Only with its end in place is it read at all.
    const epoch = String(await redis.command('GETRANGE', key, 120, -1));
    await redis.command(
      'SET',
      key,
      Buffer.concat([value, value, Buffer.from(epoch)]).subarray(-120 - epoch.length),
    );
  } else if (type === 'zset') await redis.command('ZADD', key, Number.MAX_SAFE_INTEGER, value);
  else await redis.command('SET', key, value, 'KEEPTTL');
};

/** Asks for everything that reads what is in Redis; answers the statuses that say that nobody foresaw it. */
const ask = async (person: Person): Promise<string[]> => {
  const asked: [string, string, unknown?][] = [
    ['GET', methods],
    ['GET', `${methods}/x`],
    ['POST', methods, { type: 'phone' }],
    ['GET', '/auth/session'],
    ['POST', '/auth/session'],
    ['GET', '/auth/profile'],
    ['GET', '/auth/sessions'],
    ['DELETE', '/auth/sessions'],
    ['GET', methods],
  ];
  const wrong: string[] = [];
  for (const [method, path, body] of asked) {
    const { status } = await person.call(method, path, body);
    if (status >= 500) wrong.push(`${method} ${path} ${status}`);
  }
  return wrong;
};

test.each(kinds)(
  'with %s in the place of anything in Redis nothing fails: a session ends, or what was noted is forgotten',
  async (kind) => {
    world = await startWorld({ redis: true, settings, tenant: { limits: { enforced: false } } });
    redis = createRedis({ url: world.redis?.url ?? '', keyPrefix: '' }, quiet);
    const person = world.person();
    await person.signIn();
    await ask(person);
    const keys = ((await redis.command('KEYS', '*')) as string[]).sort();
    for (const part of [
      'mab:session:',
      'mab:user:',
      'mab:sid:',
      'mab:kept:',
      '}:tenant:',
      '}:user:',
    ])
      expect(keys.some((key) => key.includes(part)) ? part : keys).toBe(part);
    const wrong: string[] = [];
    for (const key of keys) {
      await spoil(key, kind);
      wrong.push(...(await ask(person)).map((each) => `${key.slice(0, 20)}: ${each}`));
      const back = await person.signIn('/auth/session');
      if (back.status !== 200) wrong.push(`${key.slice(0, 20)}: sign-in ${back.status}`);
      const { status } = await person.call('GET', methods);
      if (status !== 200) wrong.push(`${key.slice(0, 20)}: afterwards ${status}`);
    }
    expect(wrong).toEqual([]);
  },
);
