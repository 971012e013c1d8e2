import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startBench, tokenOf, type Bench } from './my-account-bench.ts';
import { loadContract } from './my-account-openapi.ts';

// Auth0, "My Account API", profile (beta).
const contract = loadContract();
const scopes = ['read:me:profile', 'update:me:profile'];
const person = {
  email: 'ann@example.com',
  given_name: 'Ann',
  family_name: 'Other',
  nickname: 'ann',
  user_metadata: { theme: 'dark', size: 12, deep: { a: 1, b: 2 } },
};

let bench: Bench;
let token = '';
beforeAll(async () => {
  bench = await startBench({ limits: { enforced: false } });
});
beforeEach(() => {
  bench.state.reset();
  token = tokenOf(bench.user(person), scopes);
});
afterAll(async () => {
  await bench.close();
});

/** Asks, holds the answer against the published facts, and answers status and body. */
async function ask(method: 'GET' | 'PATCH', query = '', body?: unknown) {
  const given = body === undefined ? {} : { body };
  const answer = await bench.call(method, `/profile${query}`, { token, ...given });
  const operation = contract.operationOf(method, '/profile');
  if (!operation) throw new Error('The contract has no profile.');
  expect(contract.faults(operation, answer)).toEqual([]);
  return { status: answer.status, body: answer.body as Record<string, unknown> };
}
const profile = async () => (await ask('GET')).body;

test('the whole profile says who the user is, and what of it may be changed', async () => {
  const body = await profile();
  expect(body).toMatchObject({ ...person, email_verified: true, name: person.email });
  expect(body['profile_policy']).toMatchObject({
    '/given_name': { access: 'read_write', source: 'user' },
    '/email': { access: 'read_only' },
  });
});

test('fields takes a part of it, include_fields=false leaves that part out', async () => {
  const part = (await ask('GET', '?fields=given_name,email')).body;
  expect(Object.keys(part).toSorted()).toEqual([
    'email',
    'email_verified',
    'given_name',
    'user_id',
  ]);
  const rest = (await ask('GET', '?fields=given_name,profile_policy&include_fields=false')).body;
  expect(rest).toMatchObject({ family_name: 'Other' });
  expect(Object.keys(rest)).not.toContain('given_name');
  expect(Object.keys(rest)).not.toContain('profile_policy');
});

test.each(['?fields=password', '?fields=given_name&include_fields=maybe'])(
  'a query that is none of its own is 400: %s',
  async (query) => {
    expect((await ask('GET', query)).status).toBe(400);
  },
);

describe('a change', () => {
  test('answers the whole profile as it then is', async () => {
    const { status, body } = await ask('PATCH', '', { given_name: 'Anna', name: 'Anna Other' });
    expect([status, body]).toEqual([200, await profile()]);
    expect(body).toMatchObject({ given_name: 'Anna', name: 'Anna Other', family_name: 'Other' });
  });

  test('merges user_metadata one level deep, null removes a key', async () => {
    await ask('PATCH', '', { user_metadata: { theme: null, deep: { c: 3 }, new: true } });
    expect((await profile())['user_metadata']).toEqual({ size: 12, deep: { c: 3 }, new: true });
  });

  test.each([{}, undefined])('with an empty body changes nothing: %j', async (body) => {
    const before = await profile();
    bench.state.configure({ clockOffsetSeconds: 60 });
    expect((await ask('PATCH', '', body)).status).toBe(200);
    expect(await profile()).toEqual(before);
  });

  test.each([
    { given_name: 'Anna', family_name: ' ' },
    { given_name: 'Anna', nickname: '' },
    { given_name: 'Anna', name: 'x'.repeat(301) },
    { given_name: 'x'.repeat(151) },
    { given_name: 'Anna', picture: 'http://example.com/a.png' },
    { given_name: 'Anna', user_metadata: 'none' },
    { given_name: 'Anna', shoe_size: 38 },
    ['given_name'],
    null,
  ])('that does not fit changes nothing at all: %j', async (body) => {
    const before = await profile();
    const refused = await ask('PATCH', '', body);
    expect(refused).toMatchObject({
      status: 400,
      body: { type: expect.stringMatching(/A0E-400-0003$/) as unknown },
    });
    expect(await profile()).toEqual(before);
  });

  test.each(['email', 'phone_number', 'username', 'created_at', 'user_id', 'email_verified'])(
    'of %s is refused as read-only, and the rest of it with it',
    async (field) => {
      const before = await profile();
      const refused = await ask('PATCH', '', { given_name: 'Anna', [field]: 'anna@example.com' });
      expect(refused).toMatchObject({
        status: 400,
        body: { type: expect.stringMatching(/A0E-400-0008$/) as unknown },
      });
      expect(refused.body['validation_errors']).toMatchObject([{ field, pointer: `/${field}` }]);
      expect(await profile()).toEqual(before);
    },
  );
});

test('the names of a user who comes from another provider are that provider’s', async () => {
  token = tokenOf(bench.user({ email: 'gail@example.com', connection: 'google-oauth2' }), scopes);
  expect((await profile())['profile_policy']).toMatchObject({
    '/given_name': {
      access: 'read_only',
      source: 'idp',
      reason: 'managed_by_identity_provider',
    },
  });
  expect((await ask('PATCH', '', { given_name: 'Gail' })).status).toBe(400);
  expect((await ask('PATCH', '', { user_metadata: { theme: 'light' } })).status).toBe(200);
});

test('a policy of the settings outranks that of the connection', async () => {
  const policy = { '/nickname': { access: 'read_only', source: 'system', label: 'Set by us' } };
  bench.state.configure({ my_account: { profile_policy: policy } });
  expect((await profile())['profile_policy']).toMatchObject(policy);
  expect((await ask('PATCH', '', { nickname: 'annie' })).status).toBe(400);
});

test('where it is not enabled it is 404, whoever asks', async () => {
  bench.state.configure({ my_account: { profile: false } });
  for (const given of [{ token }, {}]) {
    expect((await bench.call('GET', '/profile', given)).status).toBe(404);
    expect((await bench.call('PATCH', '/profile', { ...given, body: {} })).status).toBe(404);
  }
  expect((await bench.call('GET', '/factors', { token })).status).toBe(403);
});

test.each(['/consents', '/consents/cns_0', '/organizations'])(
  '%s is planned at Auth0, and not here',
  async (path) => {
    const token = tokenOf(bench.user(), ['read:me:consents', 'read:me:organizations']);
    expect((await bench.call('GET', path, { token })).status).toBe(404);
  },
);
