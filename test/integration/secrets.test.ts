import { afterEach, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { createRedis } from '../../src/gateway/redis/client.ts';
import { createSeal } from '../../src/gateway/session/seal.ts';
import { boundHead, readEntry } from '../../src/gateway/session/store.ts';
import { readTicket } from '../../src/gateway/session/ticket.ts';
import { startGateway, type Listening } from '../helpers/gateway.ts';
import { startWorld, type World } from '../helpers/world.ts';

const [old, newer] = [
  'the old secret of the gateways that is long enough',
  'the new secret of the gateways that is long enough',
];
const readers: Readonly<Record<string, [command: string, more: number[]]>> = {
  string: ['GET', []],
  hash: ['HGETALL', []],
  set: ['SMEMBERS', []],
  zset: ['ZRANGE', [0, -1]],
};
let world: World;
let more: Listening[] = [];
afterEach(async () => {
  for (const each of more) await each.close();
  more = [];
  await world.close();
});

/** A gateway beside those of the world, on the same Redis and for the same origin, with other secrets. */
const gatewayWith = async (secrets: string): Promise<Listening> => {
  const { AUTH0_CLIENT_SECRET, AUTH0_DOMAIN } = world.gateways[0]?.gateway.settings ?? {};
  const started = await startGateway({
    AUTH0_DOMAIN: AUTH0_DOMAIN ?? '',
    AUTH0_CLIENT_ID: 'world',
    AUTH0_CLIENT_SECRET: AUTH0_CLIENT_SECRET ?? '',
    APP_BASE_URL: world.origin,
    REDIS_URL: world.redis?.url ?? '',
    AUTH0_SECRET: secrets,
  });
  more.push(started);
  return started;
};
const profile = async (gateway: Listening | undefined, cookie: string): Promise<number> =>
  fetch(`${gateway?.url ?? ''}/auth/profile`, { headers: { cookie, 'x-csrf': '1' } }).then(
    ({ status }) => status,
  );

test('the secret is rotated gateway by gateway and signs nobody out; without the old one its sessions open nowhere', async () => {
  world = await startWorld({ redis: true, settings: { AUTH0_SECRET: old } });
  const person = world.person();
  await person.signIn();
  const cookie = await person.jar.getCookieString(world.origin);
  expect(await profile(world.gateways[0], cookie)).toBe(200);
  expect(await profile(await gatewayWith(`${old},${newer}`), cookie)).toBe(200);
  expect(await profile(await gatewayWith(`${newer},${old}`), cookie)).toBe(200);
  expect(await profile(await gatewayWith(newer), cookie)).toBe(401);
});

test('all of Redis together with the secret of the server opens no session: it takes the cookie', async () => {
  world = await startWorld({ redis: true, settings: { AUTH0_SECRET: old } });
  const person = world.person();
  await person.signIn();
  const { sub } = (await person.call('GET', '/auth/profile')).json() as { sub: string };
  const redis = createRedis(
    { url: world.redis?.url ?? '', keyPrefix: '' },
    { info: () => undefined, warn: () => undefined },
  );
  const [, keys] = (await redis.command('SCAN', 0, 'COUNT', 10_000)) as [string, string[]];
  const dump = new Map<string, Buffer[]>();
  for (const key of keys) {
    const type = (await redis.command('TYPE', key)) as string;
    const read = readers[type];
    if (read === undefined) throw new Error(`${key} is a ${type}, which this test cannot read`);
    dump.set(key, [await redis.commandBuffer(read[0], key, ...read[1])].flat() as Buffer[]);
  }
  await redis.close();

  const everything = Buffer.concat([...dump.values()].flat());
  expect(everything.length).toBeGreaterThan(500);
  for (const text of ['eyJ', sub, world.user.email, 'read:me', 'refresh'])
    expect(everything.includes(text)).toBe(false);

  const [name, [value]] = [...dump].find(([key]) => key.includes('session:')) ?? ['', []];
  const entry = value && readEntry(value);
  if (entry === undefined) throw new Error('no session was stored');
  const seal = createSeal([old], 'session');
  const known = [...dump.keys(), ...[...dump.values()].flat()].flatMap((each) => [
    Buffer.from(each),
    Buffer.from(String(each), 'base64url'),
  ]);
  const guesses = [
    Buffer.alloc(0),
    Buffer.alloc(32),
    randomBytes(32),
    Buffer.from(name.split(':').at(-1) ?? '', 'base64url'),
    ...known,
  ];
  for (const guess of guesses)
    expect(seal.unseal(entry.sealed, guess, boundHead(entry))).toBeUndefined();

  const cookie = decodeURIComponent(await person.jar.getCookieString(world.origin));
  const ticket = readTicket(/s:([\w-]+)\./.exec(cookie)?.[1] ?? '');
  expect(
    seal.unseal(entry.sealed, ticket?.secret ?? Buffer.alloc(0), boundHead(entry))?.includes(sub),
  ).toBe(true);
});
