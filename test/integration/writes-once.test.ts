import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { createPerson, type Person } from '../helpers/person.ts';
import { startWorld, type World } from '../helpers/world.ts';

const list = '/api/me/v1/authentication-methods';
const scope = ['create', 'update', 'delete']
  .map((verb) => `${verb}:me:authentication_methods`)
  .join(' ');
let world: World;
let person: Person;
beforeAll(async () => {
  world = await startWorld({
    gateways: 2,
    settings: {
      AUTH0_SCOPE: `openid profile email offline_access read:me:authentication_methods read:me:factors ${scope}`,
    },
  });
});
afterAll(async () => world.close());
beforeEach(async () => {
  const [user] = world.tenant.users.add({ count: 1, password: 'of a user of this test' });
  person = createPerson(world.origin, {
    email: user?.email ?? '',
    password: 'of a user of this test',
  });
  await person.signIn('/');
});

const sent = (from: number): number =>
  world.tenant
    .requests(from)
    .filter(({ method, path }) => method === 'POST' && path === '/me/v1/authentication-methods')
    .length;
const seen = (): number => world.tenant.requests().at(-1)?.id ?? 0;

// @auth0/myaccount-js sends a POST again by itself, twice, when it is answered 408, 429 or 5xx.
test.each<[string, Record<string, string>]>([
  ['with an Idempotency-Key', { 'idempotency-key': '"0f8c"' }],
  ['without one', {}],
])(
  'a POST whose answer was lost is not sent twice, on either gateway, %s',
  async (_how, headers) => {
    const before = seen();
    world.tenant.faults.add({
      method: 'POST',
      path: '/me/v1/authentication-methods',
      reset: 'after-handling',
      times: 3,
    });
    const answers = [];
    for (let attempt = 0; attempt < 3; attempt++)
      answers.push(await person.call('POST', list, { type: 'totp' }, headers));
    world.tenant.faults.clear();
    expect(answers.map(({ status }) => status)).toEqual([502, 409, 409]);
    const codes = answers.map((answer) => (answer.json() as { code: string }).code);
    expect(codes).toEqual(['upstream_unreachable', 'outcome_unknown', 'outcome_unknown']);
    expect(sent(before)).toBe(1);
  },
);

test('a POST that surely never reached the API is sent again', async () => {
  const before = seen();
  world.tenant.faults.add({
    method: 'POST',
    path: '/me/v1/authentication-methods',
    status: 429,
    headers: { 'retry-after': '1' },
  });
  expect((await person.call('POST', list, { type: 'totp' })).status).toBe(429);
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  expect((await person.call('POST', list, { type: 'totp' })).status).toBe(202);
  expect(sent(before)).toBe(2);
});

test("the session shows the user's own numbers only, and spends nothing on telling them", async () => {
  for (let turn = 0; turn < 3; turn++)
    await person.call('GET', '/api/me/v1/factors', undefined, { 'cache-control': 'no-cache' });
  const { quota } = (await person.call('GET', '/auth/session')).json() as {
    quota: Record<string, Record<string, number>>;
  };
  expect(Object.keys(quota)).toHaveLength(9);
  for (const numbers of Object.values(quota))
    expect(Object.keys(numbers).sort()).toEqual(['limit', 'remaining', 'resetIn']);
  // Of plan enterprise: 5 a minute for a user; the tenant's 25 a second are nowhere.
  expect(quota['factors_read']).toMatchObject({ limit: 5, remaining: 2 });
  expect(quota['authentication_methods_read']).toMatchObject({ limit: 5, remaining: 5 });
  expect(quota['authentication_methods_write']).toMatchObject({ limit: 5, remaining: 5 });
  const again = (await person.call('GET', '/auth/session')).json() as {
    quota: Record<string, Record<string, number>>;
  };
  expect(again.quota['factors_read']?.['remaining']).toBe(2);
});

test('it is not sent twice either where no answers are kept', async () => {
  const apart = await startWorld({
    gateways: 2,
    settings: {
      AUTH0_SCOPE: `openid profile email offline_access ${scope}`,
      READ_KEEP_SECONDS: '0',
    },
  });
  try {
    const somebody = apart.person();
    await somebody.signIn('/');
    apart.tenant.faults.add({
      method: 'POST',
      path: '/me/v1/authentication-methods',
      reset: 'after-handling',
      times: 2,
    });
    const answers = [
      await somebody.call('POST', list, { type: 'totp' }),
      await somebody.call('POST', list, { type: 'totp' }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([502, 409]);
    const posts = apart.tenant
      .requests()
      .filter(({ method, path }) => method === 'POST' && path === '/me/v1/authentication-methods');
    expect(posts).toHaveLength(1);
    expect((await somebody.call('GET', list)).headers.get('cache-status')).toBeNull();
  } finally {
    await apart.close();
  }
});
