import { afterEach, expect, test } from '@jest/globals';
import { hang } from '../helpers/event-stream.ts';
import { startWorld, type World } from '../helpers/world.ts';
import { until } from '../helpers/until.ts';

let world: World;
afterEach(async () => world.close());

test.each([1, 2])(
  'signing out in one tab ends the others over %i gateways, and nobody else',
  async (gateways) => {
    world = await startWorld({ gateways });
    const [person, other] = [world.person(), world.person()];
    await person.signIn();
    await other.signIn();
    const [tab, tab2, stranger] = [
      await hang(world.origin, person),
      await hang(world.origin, person),
      await hang(world.origin, other),
    ];
    expect([tab.status, tab2.status, stranger.status]).toEqual([200, 200, 200]);
    await person.call('POST', '/auth/logout');
    expect(await until(() => tab.ended && tab2.ended)).toBe(true);
    expect(tab.text).toContain('event: ended');
    expect(tab2.text).toContain('event: ended');
    // The same user's session in another browser is not this one.
    expect(stranger).toMatchObject({ ended: false });
    expect(stranger.text).not.toContain('ended');
  },
);

test('without a session, and from another site, there is no stream', async () => {
  world = await startWorld();
  const person = world.person();
  expect((await person.call('GET', '/auth/events')).status).toBe(401);
  await person.signIn();
  expect(
    (await person.call('GET', '/auth/events', undefined, { 'sec-fetch-site': 'cross-site' }))
      .status,
  ).toBe(403);
});

test('a page is told when its user may ask again, and that this session, not another of the user, has to step up', async () => {
  world = await startWorld({
    gateways: 2,
    settings: {
      READ_KEEP_SECONDS: '0',
      RATE_LIMIT_USER_READ: '60',
      RATE_LIMIT_TENANT_READ: '1000',
      BUDGET_DEADLINE: '0',
    },
    tenant: { limits: { enforced: false } },
  });
  const methods = '/api/me/v1/authentication-methods';
  const [here, there] = [world.person(), world.person()];
  await here.signIn();
  await there.signIn();
  const [tab, other] = [await hang(world.origin, here), await hang(world.origin, there)];
  for (let i = 0; i < 5; i += 1)
    expect((await here.call('POST', methods, { type: 'email' })).json()).toMatchObject({
      code: 'step_up_required',
    });
  expect(await until(() => tab.text.includes('event: step_up_needed'))).toBe(true);
  let status = 0;
  for (let i = 0; i < 200 && status !== 429; i += 1) ({ status } = await here.call('GET', methods));
  expect(status).toBe(429);
  expect(
    await until(
      () => tab.text.includes('event: quota_back') && other.text.includes('event: quota_back'),
    ),
  ).toBe(true);
  expect(other.text).not.toContain('step_up_needed');
  // Said once for a while, by each gateway, however often it is asked for.
  expect(tab.text.match(/event: step_up_needed/g)?.length).toBeLessThanOrEqual(2);
}, 60_000);
