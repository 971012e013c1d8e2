import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { createPerson, type Person, type Seen } from '../helpers/person.ts';
import { startWorld, type World } from '../helpers/world.ts';

const factors = '/api/me/v1/factors';
const connect = '/auth/connect?connection=google-oauth2';
const secondsAhead = (seconds: number): string =>
  new Date(Date.now() + seconds * 1_000).toUTCString();

let world: World;
let person: Person;
let users = 0;
const start =
  (seconds: number, settings: Record<string, string> = {}) =>
  async (): Promise<void> => {
    world = await startWorld({
      tenant: { limits: { enforced: false }, tokens: { accessTokenSeconds: seconds } },
      settings: {
        AUTH0_SCOPE:
          'openid offline_access read:me:factors create:me:authentication_methods create:me:connected_accounts',
        READ_KEEP_SECONDS: '0',
        ...settings,
      },
    });
  };
beforeEach(async () => {
  world.tenant.faults.clear();
  users += 1;
  const [user] = world.tenant.users.add({ count: 1, password: `of user ${users} of this test` });
  person = createPerson(world.origin, {
    email: user?.email ?? '',
    password: `of user ${users} of this test`,
  });
  await person.signIn('/auth/session');
});
const told = (answer: Seen): number => {
  const text = answer.headers.get('retry-after') ?? '';
  expect(text).toMatch(/^\d+$/);
  return Number(text);
};

describe('a 429 of the token endpoint', () => {
  beforeAll(start(1, { RATE_LIMIT_USER_READ: '1000', RATE_LIMIT_USER_FACTORS_READ: '1000' }));
  afterAll(async () => world.close());

  const busy = async (value: string): Promise<Seen> => {
    // The token is over for certain: nobody is served with the old one meanwhile.
    await sleep(1_100);
    const body = { error: 'too_many_requests' };
    const headers = { 'retry-after': value };
    world.tenant.faults.add({ path: '/oauth/token', status: 429, headers, body });
    const answer = await person.call('GET', factors);
    expect([answer.status, answer.json()]).toMatchObject([503, { code: 'tenant_busy' }]);
    return answer;
  };

  test.each<[string, () => string, number, number]>([
    ['of an hour', () => '3600', 30, 30],
    ['of three thousand years', () => '99999999999', 30, 30],
    ['that no number holds', () => '1e300', 1, 1],
    ['as a date ten seconds ahead', () => secondsAhead(10), 8, 10],
    ['as a date of next year', () => secondsAhead(31_536_000), 30, 30],
  ])(
    'with a Retry-After %s is told no longer than until the next try',
    async (_what, value, least, most) => {
      const seconds = told(await busy(value()));
      expect(seconds).toBeGreaterThanOrEqual(least);
      expect(seconds).toBeLessThanOrEqual(most);
    },
  );

  test('with a Retry-After of an hour locks the session no longer than it was told', async () => {
    await busy('3600');
    const second = await person.call('GET', factors);
    expect(second.status).toBe(503);
    expect(told(second)).toBeLessThanOrEqual(30);
  });

  test('with a short one is over when it said so', async () => {
    await busy('1');
    expect((await person.call('GET', factors)).status).toBe(200);
  });
});

describe('a 429 of the API', () => {
  beforeAll(start(3_600));
  afterAll(async () => world.close());

  const ways: [string, () => Promise<Seen>][] = [
    ['a read', () => person.call('GET', factors)],
    ['a change', () => person.call('POST', '/api/me/v1/authentication-methods', { type: 'totp' })],
    ['connect', () => person.call('GET', connect)],
  ];
  const values: [string, () => string, number, number][] = [
    ['of seven seconds', () => '7', 7, 7],
    ['as a date thirty seconds ahead', () => secondsAhead(30), 28, 30],
    ['of an hour, when the bucket opens after two minutes', () => '3600', 119, 120],
    ['that no number holds', () => '1e300', 1, 15],
  ];
  test.each(
    ways.flatMap(([name, ask]) =>
      values.map(([what, ...rest]) => [name, what, ask, ...rest] as const),
    ),
  )(
    '%s: with a Retry-After %s is told as long as it is held',
    async (_name, _what, ask, value, least, most) => {
      world.tenant.faults.add({
        path: '/me/v1/',
        status: 429,
        headers: { 'retry-after': value() },
      });
      const first = await ask();
      expect([first.status, first.json()]).toMatchObject([429, { code: 'rate_limited' }]);
      expect(told(first)).toBeGreaterThanOrEqual(least);
      expect(told(first)).toBeLessThanOrEqual(most);
      const second = await ask();
      expect(second.status).toBe(429);
      expect(told(second)).toBeLessThanOrEqual(told(first));
      expect(told(second)).toBeGreaterThanOrEqual(told(first) - 5);
    },
  );
});
