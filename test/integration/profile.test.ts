import { afterEach, expect, test } from '@jest/globals';
import { startWorld, type World } from '../helpers/world.ts';

// The profile (beta) is a line of the operations table: what every other operation gets, it gets.
let world: World;
afterEach(async () => world.close());
const path = '/api/me/v1/profile';
const AUTH0_SCOPE = 'openid profile email offline_access read:me:profile';
const upstream = () => world.tenant.requests().filter((seen) => seen.path === '/me/v1/profile');

test('without its scope it is denied before anything is asked of Auth0', async () => {
  world = await startWorld();
  const person = world.person();
  await person.signIn();
  const refused = await person.call('GET', path);
  expect([refused.status, refused.json()]).toMatchObject([403, { code: 'step_up_required' }]);
  expect(upstream()).toEqual([]);
});

test('is read and kept; a change asks to step up, is made, and is what is read from then on', async () => {
  world = await startWorld({ settings: { AUTH0_SCOPE } });
  const person = world.person();
  await person.signIn();
  const read = async () => (await person.call('GET', path)).json();
  expect(await read()).toMatchObject({ given_name: 'Demo', profile_policy: { '/given_name': {} } });
  await read();
  expect(upstream()).toHaveLength(1);

  const change = ['PATCH', path, { given_name: 'Dora', user_metadata: { theme: 'dark' } }] as const;
  const { code, stepUpUrl } = (await person.call(...change)).json() as Record<string, string>;
  expect(code).toBe('step_up_required');
  await person.answerForms(await person.visit(stepUpUrl ?? ''));
  const changed = await person.call(...change);
  expect([changed.status, changed.json()]).toMatchObject([200, { given_name: 'Dora' }]);
  expect(await read()).toMatchObject({ given_name: 'Dora', user_metadata: { theme: 'dark' } });
});

test('what is kept follows a change: the whole profile is not asked for again, a part of it is', async () => {
  const scope = `${AUTH0_SCOPE} update:me:profile`;
  world = await startWorld({ settings: { AUTH0_SCOPE: scope } });
  const person = world.person();
  await person.signIn();
  const read = async (query = '') => (await person.call('GET', path + query)).json();
  const reads = () => upstream().filter(({ method }) => method === 'GET').length;
  await read();
  await read('?fields=given_name');
  expect(reads()).toBe(2);
  expect((await person.call('PATCH', path, { given_name: 'Dora' })).status).toBe(200);
  expect(await read()).toMatchObject({ given_name: 'Dora', profile_policy: { '/given_name': {} } });
  expect(reads()).toBe(2);
  expect(await read('?fields=given_name')).toMatchObject({ given_name: 'Dora' });
  expect(reads()).toBe(3);
  // What the API refuses as a whole changes nothing that is kept.
  expect((await person.call('PATCH', path, { given_name: '' })).status).toBe(400);
  expect(await read()).toMatchObject({ given_name: 'Dora' });
});

test('where the tenant has not enabled it, its 404 comes through and nobody is signed out', async () => {
  world = await startWorld({
    settings: { AUTH0_SCOPE },
    tenant: { my_account: { profile: false } },
  });
  const person = world.person();
  await person.signIn();
  const answer = await person.call('GET', path);
  expect([answer.status, answer.json()]).toMatchObject([
    404,
    { type: expect.stringContaining('A0E-404-0001') as unknown },
  ]);
  expect((await person.call('GET', '/auth/profile')).status).toBe(200);
});

test.each(['/consents', '/consents/cns_0', '/organizations'])(
  '%s is planned at Auth0 and denied here',
  async (planned) => {
    world = await startWorld();
    const person = world.person();
    await person.signIn();
    const refused = await person.call('GET', `/api/me/v1${planned}`);
    expect([refused.status, refused.json()]).toMatchObject([404, { code: 'operation_not_found' }]);
    const asked = await person.visit('/auth/step-up?scope=read:me:consents&returnTo=/');
    expect(asked.status).toBe(400);
    expect(world.tenant.requests().filter(({ path: seen }) => seen.startsWith('/me/'))).toEqual([]);
  },
);
