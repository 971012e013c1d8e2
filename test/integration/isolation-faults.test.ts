import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Person } from '../helpers/person.ts';
import { until } from '../helpers/until.ts';
import { startWorld, type World } from '../helpers/world.ts';

const users = 200;
const calls = 10;
const together = 5;
const methods = '/api/me/v1/authentication-methods';
const settings = {
  RATE_LIMIT_USER_READ: '100000',
  RATE_LIMIT_USER_FACTORS_READ: '100000',
  RATE_LIMIT_TENANT_READ: '100000',
  RATE_LIMIT_TENANT_FACTORS_READ: '100000',
  // No answer is kept or joined: each call is to reach the API with a token.
  READ_KEEP_SECONDS: '0',
  AUTH0_DPOP: 'true',
  UPSTREAM_ANSWER_TIMEOUT: '5000',
};

interface State {
  readonly authenticated: boolean;
  readonly user?: { readonly sub: string };
}

/** What the gateway says of the session; asked again while it cannot tell (503). */
const stateOf = async (person: Person): Promise<State> => {
  let state: State | undefined;
  await until(async () => {
    const answer = await person.call('GET', '/auth/session');
    if (answer.status === 200) state = answer.json() as State;
    return state !== undefined;
  });
  if (state === undefined) throw new Error('the session was never told');
  return state;
};

let world: World;
const people: { person: Person; sub: string }[] = [];

beforeAll(async () => {
  world = await startWorld({
    gateways: 2,
    settings,
    tenant: {
      tokens: { accessTokenSeconds: 10 },
      limits: { enforced: false },
      switches: { dpopNonceOnMyAccount: true },
    },
  });
  const made = world.tenant.users.add({ count: users, password: 'password-of-the-tests' });
  const queue = made.values();
  await Promise.all(
    Array.from({ length: 10 }, async () => {
      for (const { email, user_id: sub } of queue) {
        const person = world.person({ email, password: 'password-of-the-tests' });
        // A busy machine may cut a sign-in off: whoever is tested was signed in.
        expect(
          await until(async () => {
            await person.signIn();
            return (await stateOf(person)).authenticated;
          }),
        ).toBe(true);
        people.push({ person, sub });
      }
    }),
  );
});
afterAll(async () => world.close());

test('200 users under nonce challenges, 401s, timeouts, broken connections and expiring tokens: no call with another user’s token, no answer to another', async () => {
  const since = world.tenant.requests().at(-1)?.id ?? 0;
  for (let i = 0; i < 12; i += 1) {
    const unauthorized = {
      status: 401,
      headers: { 'www-authenticate': 'DPoP error="invalid_token"' },
      body: { title: 'Unauthorized' },
    };
    world.tenant.faults.add(
      { path: '/me/', times: 4, skip: 20 * i, ...unauthorized },
      {
        path: '/me/',
        times: 3,
        skip: 20 * i + 5,
        reset: i % 2 === 0 ? 'before-headers' : 'mid-body',
      },
      { path: '/me/', times: 2, skip: 20 * i + 9, delayMs: 6_000 },
      { path: '/oauth/token', times: 1, skip: 10 * i, delayMs: 300 },
    );
  }
  const wrong: string[] = [];
  const statuses = new Map<number, number>();
  // Five calls of a user at once and twenty in all: more would only wait for each other, past every deadline.
  const turns = Array.from({ length: calls / together }, () => people)
    .flat()
    .flatMap((one) => Array.from({ length: together }, () => one))
    .values();
  const work = async (): Promise<void> => {
    for (const { person, sub } of turns) {
      const marker = `x-marker/${encodeURIComponent(sub)}`;
      const headers = { accept: `application/json, ${marker}` };
      // An answer that broke off at the API breaks off here too: status 0.
      const status = await person.call('GET', methods, undefined, headers).then(
        (answer) => answer.status,
        () => 0,
      );
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      const user = await person.call('GET', '/auth/profile').then(
        (answer) => answer.json() as { sub?: string },
        () => undefined,
      );
      if (user?.sub !== undefined && user.sub !== sub) wrong.push('another user’s profile');
    }
  };
  await Promise.all(Array.from({ length: 4 * together }, work));
  expect(wrong).toEqual([]);
  const seen = world.tenant.requests(since).filter(({ path }) => path.startsWith('/me/'));
  const crossings = seen.filter(
    ({ headers, token }) =>
      token !== undefined &&
      !String(headers['accept']).endsWith(`x-marker/${encodeURIComponent(token.sub ?? '')}`),
  );
  expect(crossings.slice(0, 3)).toEqual([]);
  // It was tried: most calls succeeded, and every kind of trouble happened.
  expect(statuses.get(200) ?? 0).toBeGreaterThan((users * calls) / 2);
  expect(seen.filter(({ status }) => status === 401).length).toBeGreaterThan(20);
  expect(
    seen.filter(({ token }) => token?.scheme !== undefined && token.scheme !== 'DPoP'),
  ).toEqual([]);
});

test('whoever is still signed in is themselves, and nobody was signed out by trouble on the way', async () => {
  const states = await Promise.all(
    people.map(async ({ person, sub }) => {
      const state = await stateOf(person);
      return state.authenticated && state.user?.sub === sub;
    }),
  );
  expect(states.filter((same) => !same)).toEqual([]);
});
