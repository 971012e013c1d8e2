import { afterEach, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Person, Seen } from '../helpers/person.ts';
import { startSentinels } from '../helpers/redis-lab.ts';
import { until } from '../helpers/until.ts';
import { startWorld, type World } from '../helpers/world.ts';

let world: World | undefined;
let lab: Awaited<ReturnType<typeof startSentinels>> | undefined;
afterEach(async () => {
  await world?.close();
  await lab?.stop();
  world = undefined;
  lab = undefined;
});

const methods = '/api/me/v1/authentication-methods';
const begin = async (
  accessTokenSeconds: number,
  settings: Record<string, string> = {},
): Promise<World> => {
  lab = await startSentinels();
  world = await startWorld({
    gateways: 2,
    settings: {
      RATE_LIMIT_USER_READ: '10000',
      RATE_LIMIT_USER_FACTORS_READ: '10000',
      RATE_LIMIT_TENANT_READ: '10000',
      RATE_LIMIT_TENANT_FACTORS_READ: '10000',
      REDIS_URL: lab.url,
      ...settings,
    },
    tenant: { limits: { enforced: false }, tokens: { accessTokenSeconds } },
  });
  const { gateways } = world;
  expect(
    await until(async () =>
      (await Promise.all(gateways.map(async ({ gateway }) => gateway.ready()))).every(Boolean),
    ),
  ).toBe(true);
  return world;
};
const exchanges = ({ tenant }: World) =>
  tenant.requests().filter(({ parameters }) => parameters?.['grant_type'] === 'refresh_token');

/** What a user may see while nobody answers for Redis: the answer, or "come again" with the cookie left alone; neither after a long wait. */
const asPromised = (answer: Seen): void => {
  expect([200, 503]).toContain(answer.status);
  expect(answer.headers.getSetCookie()).toEqual([]);
  if (answer.status === 200) return;
  expect(answer.json()).toMatchObject({ code: 'store_unavailable' });
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
};

test.each(['0', '30'])(
  'the primary dies under signed-in users (answers kept %s s): 503 with Retry-After for a moment, then the same cookies work',
  async (keep) => {
    const at = await begin(86_400, { READ_KEEP_SECONDS: keep });
    const people = [at.person(), at.person(), at.person()];
    for (const person of people) await person.signIn();
    const cookies = await Promise.all(
      people.map(async ({ jar }) => jar.getCookieString(at.origin)),
    );
    let away = 0;
    let over = false;
    const use = async (person: Person): Promise<void> => {
      while (!over) {
        const answer = await person.call('GET', methods);
        asPromised(answer);
        if (answer.status === 503) away += 1;
        await sleep(50);
      }
    };
    const using = Promise.all(people.map(use));
    await sleep(300);
    await lab?.primary.stop();
    const promoted = await until(async () =>
      /role:master/.test(String(await lab?.replica.ask('INFO', 'replication'))),
    );
    expect(promoted).toBe(true);
    // From here it is the gateways' turn: both find the new primary by themselves.
    const served = async (): Promise<boolean> => {
      // Two calls may both meet the gateway that was the first to find it: others take turns as well.
      const ready = await Promise.all(at.gateways.map(async ({ gateway }) => gateway.ready()));
      const answers = [
        await people[0]?.call('GET', methods),
        await people[0]?.call('GET', methods),
      ];
      return ready.every(Boolean) && answers.every((answer) => answer?.status === 200);
    };
    expect(await until(served)).toBe(true);
    over = true;
    await using;
    expect(away).toBeGreaterThan(0);
    for (const [index, person] of people.entries()) {
      for (const _gateway of at.gateways)
        expect((await person.call('GET', methods)).status).toBe(200);
      expect(await person.jar.getCookieString(at.origin)).toBe(cookies[index]);
    }
    // And what has to be written is written to the new primary.
    await at.person().signIn();
  },
);

test('the primary dies while a refresh is under way: the token is spent once, the new one is kept, and nobody is signed out', async () => {
  const at = await begin(4, { READ_KEEP_SECONDS: '0' });
  const person = at.person();
  await person.signIn();
  await sleep(4_100);
  at.tenant.faults.add({ path: '/oauth/token', times: 1, delayMs: 700 });
  const underWay = person.call('GET', methods);
  expect(
    await until(() => exchanges(at).length === 1 || at.tenant.faults.list().length === 0),
  ).toBe(true);
  await lab?.primary.stop();
  asPromised(await underWay);
  let after = await person.call('GET', methods);
  for (let i = 0; i < 100 && after.status === 503; i += 1) {
    await sleep(100);
    after = await person.call('GET', methods);
  }
  expect(after.status).toBe(200);
  expect(exchanges(at).map(({ status }) => status)).not.toContain(403);
  // One for the token that had expired; a second at most, should all this have been longer than the new token's life.
  expect(exchanges(at).length).toBeLessThanOrEqual(2);
});
