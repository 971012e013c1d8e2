import { afterEach, expect, test } from '@jest/globals';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Person } from '../helpers/person.ts';
import { startWorld, type World } from '../helpers/world.ts';

let world: World;
afterEach(async () => world.close());

/** Hangs on the event stream as EventSource does; answers what came and whether it ended. */
const hang = async (person: Person) => {
  const told = { text: '', ended: false, status: 0 };
  const cookie = await person.jar.getCookieString(world.origin);
  const sent = request(`${world.origin}/auth/events`, { headers: { cookie, 'sec-fetch-site': 'same-origin' }, agent: false }, (answer) => {
    told.status = answer.statusCode ?? 0;
    answer.setEncoding('utf8').on('data', (text: string) => (told.text += text));
    answer.once('end', () => (told.ended = true));
  });
  sent.once('error', () => (told.ended = true)).end();
  for (let i = 0; i < 100 && told.text === ''; i += 1) await sleep(10);
  return told;
};
const until = async (good: () => boolean): Promise<void> => {
  for (let i = 0; i < 100 && !good(); i += 1) await sleep(20);
};

test.each([1, 2])('signing out in one tab ends the others over %i gateways, and nobody else', async (gateways) => {
  world = await startWorld({ gateways });
  const [person, other] = [world.person(), world.person()];
  await person.signIn();
  await other.signIn();
  const [tab, tab2, stranger] = [await hang(person), await hang(person), await hang(other)];
  expect([tab.status, tab2.status, stranger.status]).toEqual([200, 200, 200]);
  await person.call('POST', '/auth/logout');
  await until(() => tab.ended && tab2.ended);
  expect(tab.text).toContain('event: ended');
  expect(tab2.text).toContain('event: ended');
  // The same user's session in another browser is not this one.
  expect(stranger).toMatchObject({ ended: false });
  expect(stranger.text).not.toContain('ended');
});

test('without a session, and from another site, there is no stream', async () => {
  world = await startWorld();
  const person = world.person();
  expect((await person.call('GET', '/auth/events')).status).toBe(401);
  await person.signIn();
  expect((await person.call('GET', '/auth/events', undefined, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
});
