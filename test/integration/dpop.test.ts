import { afterEach, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { startWorld, type World } from '../helpers/world.ts';

let world: World;
afterEach(async () => world.close());
const methods = '/api/me/v1/authentication-methods';
// Each read is to reach the API: what it does with tokens is what is looked at.
const roomy = {
  RATE_LIMIT_USER_READ: '10000',
  RATE_LIMIT_USER_FACTORS_READ: '10000',
  RATE_LIMIT_TENANT_READ: '10000',
  RATE_LIMIT_TENANT_FACTORS_READ: '10000',
  READ_KEEP_SECONDS: '0',
  AUTH0_DPOP: 'true',
};
const upstream = () => world.tenant.requests().filter(({ path }) => path.startsWith('/me/'));

test('with DPoP every token is bound to the key of its session, at the token endpoint and at the API, through a refresh', async () => {
  world = await startWorld({
    settings: roomy,
    tenant: {
      my_account: { dpop: 'required' },
      tokens: { accessTokenSeconds: 2 },
      limits: { enforced: false },
    },
  });
  const person = world.person();
  await person.signIn();
  expect((await person.call('GET', methods)).status).toBe(200);
  await sleep(2_100);
  expect((await person.call('GET', methods)).status).toBe(200);
  expect(upstream().map(({ token }) => token?.scheme)).toEqual(expect.arrayContaining(['DPoP']));
  expect(upstream().filter(({ token }) => token?.scheme !== 'DPoP')).toEqual([]);
});

test('a nonce the API asks for is answered once, with the same body, and used from then on', async () => {
  world = await startWorld({
    settings: roomy,
    tenant: { switches: { dpopNonceOnMyAccount: true }, limits: { enforced: false } },
  });
  const person = world.person();
  await person.signIn();
  expect((await person.call('GET', methods)).status).toBe(200);
  const asked = upstream().length;
  expect((await person.call('GET', methods)).status).toBe(200);
  expect(upstream().length - asked).toBe(1);
  expect(upstream().map(({ status }) => status)).toEqual([401, 200, 200]);
});

test('a nonce demanded of many at once signs nobody out and costs no refresh', async () => {
  world = await startWorld({
    settings: roomy,
    tenant: { switches: { dpopNonceOnMyAccount: true }, limits: { enforced: false } },
  });
  const person = world.person();
  await person.signIn();
  const answers = await Promise.all(
    Array.from({ length: 10 }, async () => person.call('GET', methods)),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
  expect(
    world.tenant
      .requests()
      .filter(({ parameters }) => parameters?.['grant_type'] === 'refresh_token'),
  ).toEqual([]);
});
