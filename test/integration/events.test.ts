import { afterEach, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { hang } from '../helpers/event-stream.ts';
import { startWorld, type World } from '../helpers/world.ts';

let world: World;
afterEach(async () => world.close());

const until = async (good: () => boolean): Promise<void> => {
  for (let i = 0; i < 100 && !good(); i += 1) await sleep(20);
};

test.each([1, 2])('signing out in one tab ends the others over %i gateways, and nobody else', async (gateways) => {
  world = await startWorld({ gateways });
  const [person, other] = [world.person(), world.person()];
  await person.signIn();
  await other.signIn();
  const [tab, tab2, stranger] = [await hang(world.origin, person), await hang(world.origin, person), await hang(world.origin, other)];
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
