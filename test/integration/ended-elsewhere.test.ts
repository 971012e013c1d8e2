import { afterEach, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { hang, type Told } from '../helpers/event-stream.ts';
import type { Person } from '../helpers/person.ts';
import { startWorld, type World } from '../helpers/world.ts';
import { until } from '../helpers/until.ts';

let world: World;
afterEach(async () => world.close());
const methods = '/api/me/v1/authentication-methods';

const signedIn = async (): Promise<Person> => {
  const person = world.person();
  await person.signIn();
  return person;
};
/** The statuses of all revocations the tenant has seen. */
const revocations = (): number[] =>
  world.tenant
    .requests()
    .filter(({ path }) => path === '/oauth/revoke')
    .map(({ status }) => status);
const profile = async (person: Person): Promise<number> =>
  (await person.call('GET', '/auth/profile')).status;
const endOthers = async (person: Person): Promise<unknown> =>
  (await person.call('DELETE', '/auth/sessions')).json();

describe.each([1, 2])('a session ended from another browser, on %i gateways', (gateways) => {
  test('is over at once; when its browser comes back its refresh token is revoked, once', async () => {
    world = await startWorld({ gateways, tenant: { tokens: { accessTokenSeconds: 1 } } });
    const [here, there] = [await signedIn(), await signedIn()];
    expect(await endOthers(here)).toEqual({ ended: 1 });
    await sleep(200);
    // Nobody can open it without the cookie of its browser.
    expect(revocations()).toEqual([]);
    expect(await Promise.all([profile(there), profile(there), profile(there)])).toEqual([
      401, 401, 401,
    ]);
    expect(await until(() => revocations().length > 0)).toBe(true);
    expect(await profile(there)).toBe(401);
    await sleep(200);
    expect(revocations()).toEqual([200]);
    // It was that one's token and not that of the session that goes on, which has to refresh by now.
    await sleep(800);
    expect((await here.call('GET', methods)).status).toBe(200);
    expect(
      await here
        .call('GET', '/auth/sessions')
        .then((seen) => (seen.json() as { sessions: unknown[] }).sessions),
    ).toHaveLength(1);
  });

  test('whose page is open has its refresh token revoked at once, however many tabs and gateways hold it', async () => {
    world = await startWorld({ gateways });
    const [here, there] = [await signedIn(), await signedIn()];
    const tabs: Told[] = [];
    for (let i = 0; i < 4; i += 1)
      tabs.push(await hang(world.gateways[i % gateways]?.url ?? '', there));
    expect(tabs.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    await endOthers(here);
    expect(await until(() => tabs.every(({ ended }) => ended) && revocations().length > 0)).toBe(
      true,
    );
    await sleep(200);
    expect(revocations()).toEqual([200]);
    for (const { text } of tabs) expect(text).toContain('event: ended');
    expect([await profile(there), await profile(here)]).toEqual([401, 200]);
    expect(revocations()).toEqual([200]);
  });

  test('while its tokens are renewed stays ended, and the new refresh token is revoked', async () => {
    world = await startWorld({ gateways, tenant: { tokens: { accessTokenSeconds: 1 } } });
    const [here, there] = [await signedIn(), await signedIn()];
    await sleep(1_100);
    world.tenant.faults.add({ path: '/oauth/token', times: 1, delayMs: 600 });
    const flying = there.call('GET', methods);
    await sleep(250);
    expect(await endOthers(here)).toEqual({ ended: 1 });
    expect((await flying).status).toBe(401);
    expect(await until(() => revocations().length > 0)).toBe(true);
    expect(await profile(there)).toBe(401);
  });
});

test('a session ended by Auth0 has its refresh token revoked when its browser comes back, and nobody waits for that', async () => {
  world = await startWorld({ gateways: 2 });
  const person = await signedIn();
  const body = JSON.stringify({ email: world.user.email });
  await fetch(`${world.tenant.url}/_control/logout`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  world.tenant.faults.add({ path: '/oauth/revoke', times: 1, delayMs: 2_500 });
  expect(await profile(person)).toBe(401);
  expect(revocations()).toEqual([]);
  expect(await until(() => revocations().length > 0)).toBe(true);
});

test('one’s own session, ended from the list, ends with its refresh token', async () => {
  world = await startWorld();
  const person = await signedIn();
  const { sessions } = (await person.call('GET', '/auth/sessions')).json() as {
    sessions: { id: string }[];
  };
  expect((await person.call('DELETE', `/auth/sessions/${sessions[0]?.id ?? ''}`)).status).toBe(204);
  expect(await until(() => revocations().length > 0)).toBe(true);
  expect(revocations()).toEqual([200]);
});
