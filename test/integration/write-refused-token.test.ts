import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createPerson, type Person } from '../helpers/person.ts';
import { startWorld, type World } from '../helpers/world.ts';

const methods = '/me/v1/authentication-methods';
let world: World;
let person: Person;
beforeAll(async () => {
  world = await startWorld({
    gateways: 2,
    tenant: { limits: { enforced: false } },
    settings: {
      AUTH0_SCOPE: `openid offline_access ${['read', 'create', 'update', 'delete'].map((verb) => `${verb}:me:authentication_methods`).join(' ')}`,
      RATE_LIMIT_USER_WRITE: '1000',
    },
  });
});
afterAll(async () => world.close());
beforeEach(async () => {
  world.tenant.faults.clear();
  const [user] = world.tenant.users.add({ count: 1, password: 'of a user of this test' });
  person = createPerson(world.origin, {
    email: user?.email ?? '',
    password: 'of a user of this test',
  });
  await person.signIn('/auth/session');
});
const sent = (from: number) =>
  world.tenant
    .requests(from)
    .filter(({ method, path }) => method !== 'GET' && path.startsWith(methods));
const seen = (): number => world.tenant.requests().at(-1)?.id ?? 0;
const refreshes = (from: number): number =>
  world.tenant
    .requests(from)
    .filter(({ parameters }) => parameters?.['grant_type'] === 'refresh_token').length;
const refuse = (headers: Record<string, string>, body: unknown, times = 1): void => {
  world.tenant.faults.add({ path: methods, status: 401, headers, body, times });
};
const invalid = { 'www-authenticate': 'Bearer error="invalid_token"' };
const unsure = {
  type: 'https://auth0.com/api-errors/A0E-401-0001',
  title: 'Unauthorized',
  status: 401,
};

describe('a change that the API answers with 401', () => {
  test.each<[string, Record<string, string>, unknown]>([
    ['blaming the token', invalid, unsure],
    ['without a word of why', {}, unsure],
  ])(
    '%s was not made: it is sent once more with a fresh token, body and all',
    async (_how, headers, body) => {
      const before = seen();
      refuse(headers, body);
      const answer = await person.call('POST', `/api${methods}`, { type: 'totp' });
      expect(answer.status).toBe(202);
      expect(sent(before).map(({ status }) => status)).toEqual([401, 202]);
      expect(refreshes(before)).toBe(1);
      expect((await person.call('GET', '/auth/session')).json()).toMatchObject({
        authenticated: true,
      });
    },
  );

  test('with an Idempotency-Key counts as one, whose outcome is the second answer', async () => {
    const before = seen();
    refuse(invalid, unsure);
    const key = { 'idempotency-key': '"one"' };
    const first = await person.call('POST', `/api${methods}`, { type: 'totp' }, key);
    const again = await person.call('POST', `/api${methods}`, { type: 'totp' }, key);
    expect([first.status, again.status, again.text]).toEqual([202, 202, first.text]);
    expect(sent(before)).toHaveLength(2);
  });

  test('twice is the user’s to mend, and is not sent for ever', async () => {
    const before = seen();
    refuse(invalid, unsure, 100);
    const answer = await person.call('DELETE', `/api${methods}/totp%7Cdev_1`);
    expect([answer.status, answer.json()]).toMatchObject([401, { code: 'login_required' }]);
    expect(sent(before)).toHaveLength(2);
  });

  test('is the API speaking when the 401 may be about the code that came with it: a wrong code is not spent twice', async () => {
    const before = seen();
    refuse({}, unsure);
    const answer = await person.call('POST', `/api${methods}/totp%7Cdev_1/verify`, {
      auth_session: 'a',
      otp_code: '123456',
    });
    expect([answer.status, answer.json()]).toMatchObject([401, unsure]);
    expect(sent(before)).toHaveLength(1);
  });
});
