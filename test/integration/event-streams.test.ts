import { afterEach, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { hang } from '../helpers/event-stream.ts';
import { startFleet, type Fleet } from '../helpers/fleet.ts';
import { until } from '../helpers/until.ts';
import { createRedis, type Redis } from '../../src/gateway/redis/client.ts';

const methods = '/api/me/v1/authentication-methods';
const quiet = { info: () => undefined, warn: () => undefined };

let fleet: Fleet | undefined;
let redis: Redis | undefined;
afterEach(async () => {
  await redis?.close();
  await fleet?.close();
  [fleet, redis] = [undefined, undefined];
});

const asked = async (...command: string[]): Promise<unknown> => {
  redis ??= createRedis({ url: fleet?.redis.url ?? '', keyPrefix: '' }, quiet);
  const [name = '', ...args] = command;
  return redis.command(name, ...args);
};
const livingOf = async (of: Fleet): Promise<boolean[]> =>
  Promise.all(of.members.map(async ({ alive }) => alive()));
/** The one channel of events, once so many gateways hear it. */
const channelOf = async (count: number): Promise<string> => {
  const heard = async (): Promise<string | undefined> => {
    const [channel] = (await asked('PUBSUB', 'CHANNELS', 'mab:events:*')) as string[];
    const [, hearing] =
      channel === undefined ? [] : ((await asked('PUBSUB', 'NUMSUB', channel)) as unknown[]);
    return Number(hearing) === count ? channel : undefined;
  };
  expect(await until(async () => (await heard()) !== undefined, 20_000)).toBe(true);
  return (await heard()) ?? '';
};

test('two messages that a session has ended, in one moment, end the stream once and no gateway', async () => {
  fleet = await startFleet({ count: 2 });
  const person = fleet.person();
  await person.signIn();
  const tabs = await Promise.all(fleet.members.map(async ({ url }) => hang(url, person)));
  const channel = await channelOf(2);
  const publish = "for _ = 1, 3 do redis.call('PUBLISH', KEYS[1], ARGV[1]) end";
  await asked('EVAL', publish, '1', channel, '{"type":"ended"}');
  expect(await until(() => tabs.every(({ ended }) => ended))).toBe(true);
  expect(tabs.map(({ text }) => text.match(/event: ended/g)?.length)).toEqual([1, 1]);
  expect(await livingOf(fleet)).toEqual([true, true]);
});

test('two tabs that sign out at once are told once, and every gateway goes on', async () => {
  fleet = await startFleet({ count: 2 });
  for (let round = 0; round < 4; round += 1) {
    const person = fleet.person();
    await person.signIn();
    const tabs = await Promise.all(fleet.members.map(async ({ url }) => hang(url, person)));
    const out = await Promise.all([1, 2].map(async () => person.call('POST', '/auth/logout')));
    expect(out.map(({ status }) => status)).toEqual([200, 200]);
    expect(await until(() => tabs.every(({ ended }) => ended))).toBe(true);
    expect(tabs.map(({ text }) => text.match(/event: ended/g)?.length)).toEqual([1, 1]);
  }
  expect(await livingOf(fleet)).toEqual([true, true]);
});

test('a gateway killed in the middle of a refresh takes no other with it, whoever finds the session lost', async () => {
  fleet = await startFleet({
    count: 3,
    settings: { TOKEN_EXCHANGE_TIMEOUT: '3000' },
    tenant: { tokens: { accessTokenSeconds: 2 } },
  });
  const person = fleet.person();
  await person.signIn();
  const [first, ...others] = fleet.members;
  const tabs = await Promise.all(others.map(async ({ url }) => hang(url, person)));
  await sleep(2_100);
  fleet.tenant.faults.add({ path: '/oauth/token', times: 1, delayMs: 8_000 });
  fleet.front.targets([first?.url ?? '']);
  const broken = person.call('GET', methods).catch(() => undefined);
  expect(await until(() => fleet?.tenant.faults.list().length === 0)).toBe(true);
  await first?.program.kill();
  await broken;
  fleet.front.targets(others.map(({ url }) => url));
  const settled = async (): Promise<boolean> => {
    const answers = await Promise.all([1, 2, 3].map(async () => person.call('GET', methods)));
    return answers.every(({ status }) => status !== 503);
  };
  expect(await until(settled)).toBe(true);
  // The next beat of a stream at the latest tells it; here the one who found it lost does.
  expect(await until(() => tabs.every(({ ended }) => ended))).toBe(true);
  expect(await Promise.all(others.map(async ({ alive }) => alive()))).toEqual([true, true]);
});

const junk = [
  'x',
  'null',
  '[]',
  '"ended"',
  '{"type":"ended","sessions":5}',
  '{"type":"ended","sessions":[5]}',
  '{"type":"expiring","seconds":"1\\n\\nevent: ended"}',
  '{"type":"x\\ndata: forged\\n\\nevent: ended"}',
  '{"type":"__proto__"}',
  '{"type":"method_changed","extra":"\\n\\nevent: ended"}',
  `{"type":"ended","sessions":["${'k'.repeat(70_000)}"]}`,
  '{"type":"ended"'.repeat(50_000),
];

test('what is no event ends no gateway, forges no line, is counted, and the stream goes on', async () => {
  fleet = await startFleet({ count: 1 });
  const person = fleet.person();
  await person.signIn();
  const [member] = fleet.members;
  const tab = await hang(member?.url ?? '', person);
  const channel = await channelOf(1);
  for (const message of junk) await asked('PUBLISH', channel, message);
  await asked('PUBLISH', channel, '{"type":"expiring","seconds":7}');
  expect(await until(() => tab.text.includes('{"type":"expiring","seconds":7}'))).toBe(true);
  expect(tab).toMatchObject({ ended: false });
  expect(tab.text).not.toMatch(/forged|ended|extra/);
  expect(await livingOf(fleet)).toEqual([true]);
  const metrics = await (await fetch(`${member?.admin ?? ''}/metrics`)).text();
  // One of them is an event with a member too many, which is left out.
  expect(metrics).toContain(`my_account_malformed_total{what="event"} ${junk.length - 1}`);
});

test('connections that leave while Redis is slow keep no place: the user has a stream afterwards', async () => {
  fleet = await startFleet({ count: 1 });
  const person = fleet.person();
  await person.signIn();
  const [member] = fleet.members;
  const at = member?.url ?? '';
  for (let round = 0; round < 5; round += 1) {
    fleet.redis.freeze();
    const cookie = await person.jar.getCookieString(at);
    const leaving = Array.from({ length: 5 }, async () => {
      const headers = { cookie, 'sec-fetch-site': 'same-origin' };
      await fetch(`${at}/auth/events`, { headers, signal: AbortSignal.timeout(250) }).catch(
        () => undefined,
      );
    });
    await Promise.all(leaving);
    fleet.redis.thaw();
    expect(
      await until(async () => (await person.call('GET', '/auth/session')).status === 200),
    ).toBe(true);
  }
  const tab = await hang(at, person);
  expect(tab).toMatchObject({ status: 200, ended: false });
});
