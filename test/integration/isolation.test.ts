import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Person } from '../helpers/person.ts';
import { startWorld, type World } from '../helpers/world.ts';

const users = 50;
const calls = 20;
const tokenSeconds = 3;
const methods = '/api/me/v1/authentication-methods';
// No answer is kept or joined: each call is to reach the API with a token.
const roomy = {
  RATE_LIMIT_USER_READ: '100000',
  RATE_LIMIT_USER_FACTORS_READ: '100000',
  RATE_LIMIT_TENANT_READ: '100000',
  RATE_LIMIT_TENANT_FACTORS_READ: '100000',
  READ_KEEP_SECONDS: '0',
  SESSION_IDLE_TIMEOUT: '3600',
};

let world: World;
const people: { person: Person; sub: string }[] = [];

beforeAll(async () => {
  world = await startWorld({
    gateways: 2,
    settings: roomy,
    tenant: { tokens: { accessTokenSeconds: tokenSeconds }, limits: { enforced: false } },
  });
  const made = world.tenant.users.add({ count: users, password: 'password-of-the-tests' });
  for (const { email, user_id: sub } of made) {
    const person = world.person({ email, password: 'password-of-the-tests' });
    await person.signIn();
    people.push({ person, sub });
  }
});
afterAll(async () => world.close());

test('50 users, 20 parallel calls each, tokens expiring on the way: every call reaches the API with its own user, and its answer comes back to them', async () => {
  const since = world.tenant.requests().at(-1)?.id ?? 0;
  const wrong: string[] = [];
  const call = async ({ person, sub }: (typeof people)[number]): Promise<void> => {
    const ask = async () =>
      person.call('GET', methods, undefined, {
        accept: `application/json, x-marker/${encodeURIComponent(sub)}`,
      });
    let answer = await ask();
    // A machine that is busy with other things may take longer than a request waits for a refresh: it says so, and is asked again.
    for (let again = 0; again < 60 && answer.status === 503; again += 1) {
      await sleep(500);
      answer = await ask();
    }
    if (answer.status !== 200) {
      wrong.push(`status ${answer.status}`);
      return;
    }
    const [first] = (answer.json() as { authentication_methods: { identity_user_id?: string }[] })
      .authentication_methods;
    if (first?.identity_user_id !== undefined && first.identity_user_id !== sub)
      wrong.push('another user answered');
  };
  // A hundred in all at the same time: more would only wait for each other.
  const round = async (each: number): Promise<void> => {
    const turns = people.values();
    const work = async (): Promise<void> => {
      for (const one of turns)
        await Promise.all(Array.from({ length: each }, async () => call(one)));
    };
    await Promise.all(Array.from({ length: 5 }, work));
  };
  await round(1);
  await sleep(tokenSeconds * 1_000 + 100);
  await round(calls);
  expect(wrong.slice(0, 5)).toEqual([]);
  const seen = world.tenant.requests(since).filter(({ path }) => path.startsWith('/me/'));
  // What the browser wrote into Accept says whose request it was, whatever token it came with.
  const crossings = seen.filter(
    ({ headers, token }) =>
      !String(headers['accept']).endsWith(`x-marker/${encodeURIComponent(token?.sub ?? '')}`),
  );
  expect(seen.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(users);
  expect(crossings.slice(0, 3)).toEqual([]);
  const refreshed = world.tenant
    .requests(since)
    .filter(({ path, status }) => path === '/oauth/token' && status === 200);
  expect(refreshed.length).toBeGreaterThanOrEqual(users);
});

test('nobody was signed out by it', async () => {
  const states = await Promise.all(
    people.map(async ({ person }) => (await person.call('GET', '/auth/session')).json()),
  );
  expect(states.filter((state) => !(state as { authenticated: boolean }).authenticated)).toEqual(
    [],
  );
});
