import { afterEach, describe, expect, test } from '@jest/globals';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { startRelayedFleet, until, type RelayedFleet } from '../helpers/relayed-fleet.ts';
import type { Person } from '../helpers/person.ts';

let fleet: RelayedFleet;
afterEach(async () => fleet.close());

const methods = '/api/me/v1/authentication-methods';
const many = 10;
const refresh = 'grant_type=refresh_token';

/** A request whose browser leaves when it is told to; it is answered to nobody. */
const leaving = async (person: Person, url: string): Promise<{ leave(): Promise<void> }> => {
  const gone = new AbortController();
  const cookie = await person.jar.getCookieString(fleet.origin);
  const headers = { cookie, 'x-csrf': '1' };
  const left = fetch(new URL(url, fleet.origin), {
    headers,
    signal: gone.signal,
    redirect: 'manual',
  }).catch(() => undefined);
  return {
    async leave() {
      gone.abort();
      await left;
    },
  };
};

const refuses = async (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, 'localhost');
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', () => resolve(true));
  });

/** Stops the first gateway, and says how it ended; `meanwhile` runs once it takes no new connections. */
const stop = async (meanwhile: () => void): Promise<number | undefined> => {
  const [first] = fleet.gateways;
  const ended = first?.process.stop(90_000);
  await until('it takes no new connections', async () => refuses(first?.port ?? 0));
  // Time enough to end for one that waits for nothing.
  await sleep(1_000);
  meanwhile();
  return ended;
};

const peopleToRefresh = async (): Promise<Person[]> => {
  const people: Person[] = [];
  for (let i = 0; i < many; i += 1) people.push(await fleet.signedIn());
  await sleep(1_100);
  fleet.tenant.configure({ tokens: { accessTokenSeconds: 600 } });
  return people;
};

describe('a gateway that is stopped (SIGTERM)', () => {
  test('writes the tokens of ten refreshes whose browsers have left', async () => {
    fleet = await startRelayedFleet();
    const people = await peopleToRefresh();
    fleet.toTenant.holdAnswersTo(refresh, many);
    const requests = await Promise.all(people.map(async (person) => leaving(person, methods)));
    await until(
      'all tokens were spent and their answers wait',
      () => fleet.toTenant.held() === many,
    );
    await Promise.all(requests.map(async ({ leave }) => leave()));
    expect(await stop(() => fleet.toTenant.release())).toBe(0);
    const entries = await fleet.entries();
    expect(entries.map(({ generation }) => generation)).toEqual(
      Array.from({ length: many }, () => 2),
    );
    fleet.turnTo(1);
    const answers = await Promise.all(
      people.map(async (person) => (await person.call('GET', methods)).status),
    );
    expect(answers).toEqual(Array.from({ length: many }, () => 200));
    expect(fleet.refreshes()).toEqual(Array.from({ length: many }, () => 200));
  });

  test('begins the session of a sign-in whose browser has left', async () => {
    fleet = await startRelayedFleet({ gateways: 1, accessTokenSeconds: 600 });
    const person = await fleet.signedIn();
    const { url } = await person.visit('/auth/login', { stopAt: `${fleet.origin}/auth/callback` });
    fleet.toTenant.holdAnswersTo('grant_type=authorization_code', 1);
    const request = await leaving(person, url);
    await until('the code was spent and its answer waits', () => fleet.toTenant.held() === 1);
    await request.leave();
    expect(await stop(() => fleet.toTenant.release())).toBe(0);
    // The former session was passed on (generation 0), the new one has begun.
    const generations = (await fleet.entries()).map(({ generation }) => generation).sort();
    expect(generations).toEqual([0, 1]);
  });

  test('has revoked the token of whoever signed out last', async () => {
    fleet = await startRelayedFleet({ gateways: 1, accessTokenSeconds: 600 });
    const person = await fleet.signedIn();
    fleet.tenant.faults.add({ path: '/oauth/revoke', times: 1, delayMs: 3_000 });
    expect((await person.call('POST', '/auth/logout')).status).toBe(200);
    expect(fleet.revocations()).toBe(0);
    expect(await stop(() => undefined)).toBe(0);
    expect(fleet.revocations()).toBe(1);
  });

  test('ends when DRAIN_SECONDS are over all the same, and says that it cut something off', async () => {
    fleet = await startRelayedFleet({
      gateways: 1,
      settings: { TOKEN_EXCHANGE_TIMEOUT: '900', DRAIN_SECONDS: '1' },
    });
    const person = await fleet.signedIn();
    fleet.tenant.faults.add({ path: '/oauth/revoke', times: 1, delayMs: 60_000 });
    await person.call('POST', '/auth/logout');
    const [first] = fleet.gateways;
    expect(await stop(() => undefined)).toBe(0);
    expect(first?.process.output()).toContain('work_cut_off');
  });
});

describe('a token endpoint that is slower than anybody waits', () => {
  test('is waited for in the background: 503 with a true Retry-After, then the session goes on, its token spent once', async () => {
    // What the API may take has nothing to do with it.
    fleet = await startRelayedFleet({ settings: { UPSTREAM_ANSWER_TIMEOUT: '500' } });
    const people = await peopleToRefresh();
    fleet.toTenant.holdAnswersTo(refresh, many);
    const answers = await Promise.all(people.map(async (person) => person.call('GET', methods)));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: many }, () => 503));
    for (const { headers } of answers) {
      // It began eight seconds ago, and is over thirty after it began.
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(10);
      expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(30);
    }
    // Another gateway knows as much.
    fleet.turnTo(1);
    const others = await Promise.all(people.map(async (person) => person.call('GET', methods)));
    expect(others.map(({ status }) => status)).toEqual(Array.from({ length: many }, () => 503));
    expect(fleet.refreshes()).toEqual(Array.from({ length: many }, () => 200));
    fleet.toTenant.release();
    await until('the answers were written', async () =>
      (await fleet.entries()).every(({ generation }) => generation === 2),
    );
    const after = await Promise.all(
      people.map(async (person) => (await person.call('GET', methods)).status),
    );
    expect(after).toEqual(Array.from({ length: many }, () => 200));
    expect(fleet.refreshes()).toHaveLength(many);
  });

  test('costs nobody their session when the gateway was stopped past the deadline: it reads what came meanwhile', async () => {
    fleet = await startRelayedFleet({ gateways: 1, settings: { TOKEN_EXCHANGE_TIMEOUT: '2000' } });
    const people = await peopleToRefresh();
    fleet.toTenant.holdAnswersTo(refresh, many);
    const asked = Promise.all(
      people.map(async (person) => (await person.call('GET', methods)).status),
    );
    await until(
      'all tokens were spent and their answers wait',
      () => fleet.toTenant.held() === many,
    );
    const [first] = fleet.gateways;
    process.kill(first?.process.pid ?? 0, 'SIGSTOP');
    fleet.toTenant.release();
    await sleep(2_500);
    process.kill(first?.process.pid ?? 0, 'SIGCONT');
    expect(await asked).toEqual(Array.from({ length: many }, () => 200));
    expect(fleet.refreshes()).toEqual(Array.from({ length: many }, () => 200));
  });
});

test('a refresh under way while its user signs in anew in the same browser revokes nothing: the new session could end with it', async () => {
  fleet = await startRelayedFleet({ gateways: 1 });
  const person = await fleet.signedIn();
  await sleep(1_100);
  fleet.tenant.configure({ tokens: { accessTokenSeconds: 600 } });
  fleet.toTenant.holdAnswersTo(refresh, 1);
  const request = await leaving(person, methods);
  await until('the token was spent and its answer waits', () => fleet.toTenant.held() === 1);
  await person.signIn('/auth/session');
  fleet.toTenant.release();
  await request.leave();
  expect((await person.call('GET', methods)).status).toBe(200);
  expect(await fleet.gateways[0]?.process.stop(60_000)).toBe(0);
  expect(fleet.refreshes()).toEqual([200]);
  expect(fleet.revocations()).toBe(0);
});
