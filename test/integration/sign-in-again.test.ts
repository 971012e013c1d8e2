import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Credentials, Person } from '../helpers/person.ts';
import { startWorld, type World } from '../helpers/world.ts';
import { until } from '../helpers/until.ts';

const told: { event?: string; reason?: string }[] = [];
const note = (fields: object): void => void told.push(fields);
let world: World;
let person: Person;
beforeAll(async () => {
  world = await startWorld({
    settings: { AUTH0_PUSHED_AUTHORIZATION_REQUESTS: 'on' },
    log: { debug: note, info: note, warn: note, error: note },
  });
});
afterAll(async () => world.close());
beforeEach(async () => {
  person = world.person();
  await person.signIn('/');
});

const revocations = (): number =>
  world.tenant.requests().filter(({ path }) => path === '/oauth/revoke').length;
const again = async (who?: Credentials): Promise<void> => {
  const before = revocations();
  expect(before).toBe(0);
  const back = await person.answerForms(
    await person.visit('/auth/login?prompt=login&returnTo=/auth/profile'),
    who,
  );
  expect(back.status).toBe(200);
  // It is not waited for.
  await sleep(200);
};

test('the same user signing in again keeps the grant: the token of the session before is not revoked', async () => {
  await again();
  expect(revocations()).toBe(0);
  expect((await person.call('GET', '/auth/sessions')).status).toBe(200);
});

test('what Auth0 refuses of a pushed request is told as a sign-in that failed, and logged with its reason', async () => {
  told.length = 0;
  world.tenant.faults.add({
    path: '/oauth/par',
    status: 400,
    body: { error: 'invalid_request', error_description: 'no such audience' },
  });
  const answer = await person.call('GET', '/auth/login');
  expect([answer.status, (answer.json() as { code: string }).code]).toEqual([400, 'login_failed']);
  expect(answer.text).not.toContain('audience');
  expect(told.find(({ event }) => event === 'login_failed')).toMatchObject({
    kind: 'login',
    reason: 'invalid_request',
  });
});

test("another user's is: nobody could end it otherwise", async () => {
  const [user] = world.tenant.users.add({ count: 1, password: 'of a user of this test' });
  await again({ email: user?.email ?? '', password: 'of a user of this test' });
  expect(await until(() => revocations() === 1)).toBe(true);
});
