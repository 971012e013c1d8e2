import { afterEach, expect, test } from '@jest/globals';
import { startWorld, type World } from '../helpers/world.ts';

let world: World;
afterEach(async () => world.close());
const create = ['POST', '/api/me/v1/authentication-methods', { type: 'recovery-code' }] as const;
const scope = 'create:me:authentication_methods';
const refreshes = () =>
  world.tenant
    .requests()
    .filter(({ parameters }) => parameters?.['grant_type'] === 'refresh_token');

test('a scope the settings let be gained in silence is gained by one refresh, where the tenant allows it', async () => {
  world = await startWorld({ settings: { AUTH0_SILENT_SCOPE: scope }, refreshPolicy: [scope] });
  const person = world.person();
  await person.signIn();
  expect((await person.call(...create)).status).toBe(202);
  expect((await person.call(...create)).status).toBe(202);
  expect(refreshes()).toHaveLength(1);
});

test('where the tenant does not allow it, it is tried once and then asked for by step-up', async () => {
  world = await startWorld({ settings: { AUTH0_SILENT_SCOPE: scope } });
  const person = world.person();
  await person.signIn();
  for (let i = 0; i < 3; i += 1)
    expect((await person.call(...create)).json()).toMatchObject({
      code: 'step_up_required',
      reason: 'insufficient_scope',
    });
  expect(refreshes()).toHaveLength(1);
});
