import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { codeOf } from '../helpers/person.ts';
import type { Person } from '../helpers/person.ts';
import { startWorld, type World } from '../helpers/world.ts';

const list = '/api/me/v1/authentication-methods';
let world: World;
let person: Person;
beforeAll(async () => {
  world = await startWorld({ gateways: 2 });
  person = world.person();
  await person.signIn('/');
});
afterAll(async () => world.close());

const listReads = (): number =>
  world.tenant
    .requests()
    .filter(
      ({ method, path }) => method === 'GET' && path.startsWith('/me/v1/authentication-methods'),
    ).length;
const ids = async (): Promise<string[]> => {
  const answer = await person.call('GET', list);
  expect(answer.status).toBe(200);
  return (answer.json() as { authentication_methods: { id: string }[] }).authentication_methods.map(
    ({ id }) => id,
  );
};

test('ten page loads over two gateways cost one read', async () => {
  for (let i = 0; i < 10; i++) await ids();
  expect(listReads()).toBe(1);
});

test('adding, seeing, renaming and removing a method with reloads in between: the list is right every time, and no read is spent on it', async () => {
  const scope = ['create', 'update', 'delete']
    .map((verb) => `${verb}:me:authentication_methods`)
    .join('+');
  // The session that follows a step-up goes on with what was kept for the one before.
  await person.answerForms(await person.visit(`/auth/step-up?scope=${scope}&returnTo=/`));
  const before = await ids();
  const begun = (await person.call('POST', list, { type: 'totp' })).json() as Record<
    string,
    string
  >;
  const own = `${list}/${encodeURIComponent(begun['id'] ?? '')}`;
  const proof = {
    auth_session: begun['auth_session'],
    otp_code: codeOf(begun['manual_input_code'] ?? ''),
  };
  expect((await person.call('POST', `${own}/verify`, proof)).status).toBe(201);
  expect(await ids()).toEqual([...before, begun['id']]);
  expect((await person.call('PATCH', own, { name: 'On my phone' })).status).toBe(200);
  const renamed = await person.call('GET', list);
  expect(renamed.text).toContain('On my phone');
  expect(renamed.headers.get('cache-status')).toMatch(/^my-account-bff; hit/);
  expect((await person.call('DELETE', own)).status).toBe(204);
  for (let i = 0; i < 4; i++) expect(await ids()).toEqual(before);
  expect(listReads()).toBe(1);
});

test('one who had to wait for a place gives it back when another gateway has brought the answer meanwhile', async () => {
  // One read a second for the tenant, two gateways: whoever is second waits a second.
  const narrow = await startWorld({
    gateways: 2,
    settings: { RATE_LIMIT_TENANT_READ: '1', RATE_LIMIT_USER_READ: '2' },
  });
  try {
    narrow.tenant.configure({ limits: { enforced: false } });
    const somebody = narrow.person();
    await somebody.signIn('/');
    const answers = await Promise.all([somebody.call('GET', list), somebody.call('GET', list)]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    const reads = narrow.tenant
      .requests()
      .filter(({ method, path }) => method === 'GET' && path.startsWith('/me/v1/'));
    expect(reads).toHaveLength(1);
    const { quota } = (await somebody.call('GET', '/auth/session')).json() as {
      quota: { authentication_methods_read: { remaining: number } };
    };
    // A token comes back after half a minute only: one is spent, and the other was given back.
    expect(quota.authentication_methods_read.remaining).toBe(1);
  } finally {
    await narrow.close();
  }
});
