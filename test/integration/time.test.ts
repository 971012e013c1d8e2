import { afterEach, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Person } from '../helpers/person.ts';
import { startWorld, type World } from '../helpers/world.ts';

let world: World | undefined;
afterEach(async () => world?.close());

interface Status {
  authenticated: boolean;
  expiresIn: number;
  idleExpiresIn: number;
}
const status = async (person: Person, method = 'GET'): Promise<Status> =>
  (await person.call(method, '/auth/session')).json() as Status;
const begin = async (redis: boolean, settings: Record<string, string>): Promise<Person> => {
  world = await startWorld({ redis, settings, tenant: { limits: { enforced: false } } });
  const person = world.person();
  await person.signIn('/auth/session');
  return person;
};

describe.each([
  ['Redis', true],
  ['memory', false],
])('sessions in %s', (_where, redis) => {
  test('end when nothing was asked for, however often their status is looked at', async () => {
    const person = await begin(redis, { SESSION_IDLE_TIMEOUT: '3' });
    const began = performance.now();
    let last = Infinity;
    while (performance.now() - began < 2_500) {
      const { authenticated, idleExpiresIn } = await status(person);
      if (!authenticated) break;
      expect(idleExpiresIn).toBeLessThanOrEqual(last);
      last = idleExpiresIn;
      await sleep(200);
    }
    expect(last).toBeLessThan(2);
    await sleep(Math.max(0, 3_200 - (performance.now() - began)));
    expect(await status(person)).toEqual({ authenticated: false });
    expect((await person.call('GET', '/auth/profile')).json()).toMatchObject({
      code: 'login_required',
    });
  });

  test('live on when the page says "stay signed in", and end at the absolute time all the same', async () => {
    const person = await begin(redis, { SESSION_IDLE_TIMEOUT: '3', SESSION_ABSOLUTE_TIMEOUT: '6' });
    const began = performance.now();
    for (const at of [1_500, 3_000, 4_500]) {
      await sleep(Math.max(0, at - (performance.now() - began)));
      const { authenticated, idleExpiresIn, expiresIn } = await status(person, 'POST');
      expect(authenticated).toBe(true);
      expect(idleExpiresIn).toBeLessThanOrEqual(expiresIn);
    }
    await sleep(Math.max(0, 6_200 - (performance.now() - began)));
    expect(await status(person)).toEqual({ authenticated: false });
  });

  test("say no longer life than Auth0's refresh tokens have", async () => {
    const person = await begin(redis, {
      SESSION_ABSOLUTE_TIMEOUT: '1000',
      AUTH0_REFRESH_LIFETIME: '100',
    });
    const { expiresIn } = await status(person);
    expect(expiresIn).toBeLessThanOrEqual(100);
    expect(expiresIn).toBeGreaterThan(80);
  });
});

test('a session without a refresh token says that it ends with its access token', async () => {
  world = await startWorld({
    settings: { AUTH0_SCOPE: 'openid profile read:me:authentication_methods' },
    tenant: { limits: { enforced: false }, tokens: { accessTokenSeconds: 3 } },
  });
  const person = world.person();
  await person.signIn('/auth/session');
  const { authenticated, expiresIn } = await status(person);
  expect([authenticated, expiresIn <= 3]).toEqual([true, true]);
  await sleep(3_200);
  expect(await status(person)).toEqual({ authenticated: false });
});
