import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createRedis } from '../../src/gateway/redis/client.ts';
import type { Redis } from '../../src/gateway/redis/client.ts';
import type { Person } from '../helpers/person.ts';
import { startWorld, type World } from '../helpers/world.ts';

const list = '/api/me/v1/authentication-methods';
const factors = '/api/me/v1/factors';
const scope = 'openid profile email offline_access read:me:authentication_methods read:me:factors';

let world: World;
let redis: Redis;
let person: Person;
const open = async (settings: Record<string, string>): Promise<void> => {
  world = await startWorld({ redis: true, settings: { AUTH0_SCOPE: scope, ...settings } });
  // The gateway's own numbers are what is looked at.
  world.tenant.configure({ limits: { enforced: false } });
  redis = createRedis(
    { url: world.redis?.url ?? '' },
    { info: () => undefined, warn: () => undefined },
  );
};
const shut = async (): Promise<void> => {
  await redis.close();
  await world.close();
};

/** Script calls that Redis has answered. */
const trips = async (): Promise<number> =>
  Number(
    /cmdstat_evalsha:calls=(\d+)/.exec(String(await redis.command('INFO', 'commandstats')))?.[1] ??
      0,
  );
/** What this many trips are counted as. */
const counted = async (work: () => Promise<unknown>): Promise<number> => {
  const before = await trips();
  await work();
  return (await trips()) - before;
};
const remaining = async (): Promise<number> => {
  const status = (await person.call('GET', '/auth/session')).json() as {
    quota: { authentication_methods_read: { remaining: number } };
  };
  return status.quota.authentication_methods_read.remaining;
};
let times = 0;
const anew = (): string => `${list}?nr=${++times}`;

describe('one who came a moment ago', () => {
  beforeAll(async () =>
    open({
      AUTH0_PLAN: 'enterprise',
      RATE_LIMIT_USER_READ: '40',
      RATE_LIMIT_USER_FACTORS_READ: '40',
    }),
  );
  afterAll(shut);
  beforeEach(async () => {
    person = world.person();
    await person.signIn('/');
    expect((await person.call('GET', factors)).status).toBe(200);
  });

  test('is asked after in one trip before the API is: one for session, answer and place, one to keep what came', async () => {
    // A count that begins is all but empty: until it has filled a little a place has to be waited for.
    await sleep(300);
    expect(await counted(async () => person.call('GET', anew()))).toBe(2);
  });

  test('and gets what is kept in that one, at the cost of no place', async () => {
    const before = await remaining();
    expect(await counted(async () => person.call('GET', factors))).toBe(1);
    expect(await remaining()).toBeGreaterThanOrEqual(before);
  });

  test('is told to sign in when the session has ended elsewhere, and no place is taken', async () => {
    const other = world.person();
    await other.signIn('/');
    const before = await remaining();
    await other.call('DELETE', '/auth/sessions');
    const answer = await person.call('GET', anew());
    expect(answer.status).toBe(401);
    person = other;
    expect(await remaining()).toBeGreaterThanOrEqual(before);
  });

  test('and asks for the same twice at once takes one place', async () => {
    const before = await remaining();
    const path = anew();
    const answers = await Promise.all([person.call('GET', path), person.call('GET', path)]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(await remaining()).toBeGreaterThanOrEqual(before - 1);
  });

  test('is told what is wrong as anybody would be, and no place stays taken', async () => {
    const before = await remaining();
    const foreign = await person.call('GET', anew(), undefined, { 'sec-fetch-site': 'cross-site' });
    expect([foreign.status, (foreign.json() as { code: string }).code]).toEqual([
      403,
      'cross_site_request',
    ]);
    expect((await person.call('GET', '/api/me/v1/nothing')).status).toBe(404);
    expect((await person.call('GET', '/api/me/v1/connected-accounts/accounts')).status).toBe(403);
    for (let i = 0; i < 3; i++)
      expect((await person.call('GET', anew(), { a: 'body' })).status).toBe(400);
    await sleep(50);
    expect(await remaining()).toBeGreaterThanOrEqual(before);
  });

  test('gives the place back when the API cannot be reached', async () => {
    const before = await remaining();
    await world.tenant.close();
    for (let i = 0; i < 3; i++) expect((await person.call('GET', anew())).status).toBe(502);
    await sleep(50);
    expect(await remaining()).toBeGreaterThanOrEqual(before);
  });
});

describe('a flood', () => {
  let held: string;
  beforeEach(async () => {
    await open({ AUTH0_PLAN: 'enterprise', RATE_LIMIT_USER_READ: '3' });
    person = world.person();
    await person.signIn('/');
    expect((await person.call('GET', factors)).status).toBe(200);
    held = anew();
    expect((await person.call('GET', held)).status).toBe(200);
    for (let i = 0; i < 4; i++) await person.call('GET', anew());
    // What may be kept all the same is looked up beside the refusal.
    await sleep(50);
  });
  afterEach(shut);

  test('is refused without a trip, with the right wait and numbers, while what is kept is still given', async () => {
    const refused = await counted(async () => {
      for (let i = 0; i < 20; i++) {
        const answer = await person.call('GET', anew());
        expect(answer.status).toBe(429);
        expect((answer.json() as { code: string }).code).toBe('rate_limited');
        expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(10);
        expect(answer.headers.get('ratelimit')).toMatch(
          /^"authentication_methods_read";r=0;t=\d+$/,
        );
        expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
        expect(answer.headers.get('x-request-id')).toMatch(/^[\w-]{36}$/);
      }
      for (const kept of [held, factors]) expect((await person.call('GET', kept)).status).toBe(200);
    });
    // One for each that is kept, and two for one more look if half a second has gone by.
    expect(refused).toBeLessThanOrEqual(4);
  });

  test('is refused a few at a time: in each turn of the event loop others have their turn as well', async () => {
    const turns = new Map<number, number>();
    let turn = 0;
    const server = createServer((req, res) => {
      const { writeHead } = res;
      res.writeHead = (...of: unknown[]) => {
        turns.set(turn, (turns.get(turn) ?? 0) + 1);
        return Reflect.apply(writeHead, res, of) as typeof res;
      };
      world.gateways[0]?.gateway.app(req, res);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    let ended = false;
    const count = (): void => {
      turn += 1;
      if (!ended) setImmediate(count);
    };
    count();
    try {
      const cookie = await person.jar.getCookieString(world.origin);
      let text = '';
      const answered = new Promise<void>((resolve, reject) => {
        socket.once('error', reject).on('data', (data) => {
          text += data.toString('latin1');
          if (text.split('HTTP/1.1 ').length > 12) resolve();
        });
      });
      const request = () =>
        `GET ${anew()} HTTP/1.1\r\nHost: localhost\r\nX-CSRF: 1\r\nCookie: ${cookie}\r\n\r\n`;
      // All arrive in one turn.
      socket.write(Array.from({ length: 12 }, request).join(''));
      await answered;
      expect(text.split('HTTP/1.1 429 ')).toHaveLength(13);
      expect([...turns.values()].reduce((a, b) => a + b)).toBe(12);
      expect(Math.max(...turns.values())).toBeLessThanOrEqual(4);
    } finally {
      ended = true;
      socket.destroy();
      server.close();
    }
  });

  test('is counted: every refusal, as the route it was', async () => {
    const { metrics } = world.gateways[0]?.gateway ?? {};
    const lines = async () => {
      const { text } = (await metrics?.expose()) ?? { text: '' };
      const of = (pattern: RegExp) => Number(pattern.exec(text)?.[1] ?? 0);
      return [
        of(
          /_budget_decisions_total\{bucket="authentication_methods_read",decision="refused_user"\} (\d+)/,
        ),
        of(
          /_count\{method="GET",route="\/api\/me\/v1\/authentication-methods",status="429"\} (\d+)/,
        ),
      ];
    };
    const before = await lines();
    for (let i = 0; i < 10; i++) await person.call('GET', anew());
    const after = await lines();
    expect(after.map((count, i) => count - (before[i] ?? 0))).toEqual([10, 10]);
  });

  test('ends with its session: at the latest after half a second it is told to sign in', async () => {
    expect((await person.call('GET', anew())).status).toBe(429);
    const other = world.person();
    await other.signIn('/');
    await other.call('DELETE', '/auth/sessions');
    await sleep(600);
    expect((await person.call('GET', anew())).status).toBe(401);
  });
});
