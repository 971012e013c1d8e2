import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { codeOf, type Person, type Seen } from '../helpers/person.ts';
import { startWorld, type World } from '../helpers/world.ts';
import { everyBucket } from '../helpers/buckets.ts';

// What nobody outside Auth0 knows is a switch of the tenant. The gateway must do right in every position.

const methods = '/api/me/v1/authentication-methods';
const verbs = ['read', 'create', 'update', 'delete'];
const scopes = [
  'read:me:factors',
  ...verbs.flatMap((verb) => [
    `${verb}:me:authentication_methods`,
    `${verb}:me:connected_accounts`,
  ]),
];

let world: World;
let person: Person;
beforeAll(async () => {
  world = await startWorld({
    settings: {
      AUTH0_SCOPE: `openid profile email offline_access ${scopes.filter((scope) => scope !== 'update:me:connected_accounts').join(' ')}`,
      AUTH0_PLAN: 'private-10000',
      RATE_LIMIT_USER_READ: '1000',
      RATE_LIMIT_USER_FACTORS_READ: '1000',
      RATE_LIMIT_USER_WRITE: '1000',
      RATE_LIMIT_USER_FILTERED: '1000',
      // What the tenant says is to come through each time.
      READ_KEEP_SECONDS: '0',
    },
    tenant: { plan: 'private-10000', limits: { user: everyBucket(1000) } },
  });
});
afterAll(async () => world.close());
beforeEach(async () => {
  world.tenant.configure({ switches: null, clockOffsetSeconds: 0 });
  person = world.person();
  await person.signIn();
});

const flip = (switches: object) => world.tenant.configure({ switches });
const stillSignedIn = async () => (await person.call('GET', '/auth/profile')).status === 200;
const verify = (id: string, body: object) =>
  person.call('POST', `${methods}/${encodeURIComponent(id)}/verify`, body);

async function start(
  type: string,
): Promise<{ seen: Seen; id: string; auth_session: string; manual_input_code: string }> {
  const seen = await person.call('POST', methods, { type });
  expect(seen.status).toBe(202);
  return { id: '', manual_input_code: '', ...(seen.json() as { auth_session: string }), seen };
}

describe.each(['path', 'fragment'])('errors spelled with a %s', (errorTypeSpelling) => {
  test('pass through as the API said them', async () => {
    flip({ errorTypeSpelling });
    const seen = await person.call('POST', methods, { type: 'sms' });
    expect(seen.status).toBe(400);
    expect(seen.json()).toMatchObject({
      type: expect.stringContaining('A0E-400-0003'),
      validation_errors: [{ pointer: '/type' }],
    });
  });
});

describe.each([true, false])('challenges sent: %s', (wwwAuthenticate) => {
  test('a token the API no longer takes is refreshed and the read goes through', async () => {
    flip({ wwwAuthenticate });
    world.tenant.configure({ clockOffsetSeconds: 86_500 });
    expect((await person.call('GET', methods)).status).toBe(200);
  });
});

describe.each(['absolute', 'relative'])('Location %s', (locationForm) => {
  test('leads to the gateway', async () => {
    flip({ locationForm });
    const { seen } = await start('passkey');
    expect(seen.headers.get('location')).toBe('/api/me/v1/authentication-methods/passkey%7Cnew');
  });
});

describe.each([400, 401, 403])('a wrong code answered with %i', (wrongCodeStatus) => {
  test('is told as a wrong code: nobody is signed out or asked to step up, and the right code still counts', async () => {
    flip({ wrongCodeStatus });
    const { id, auth_session, manual_input_code } = await start('totp');
    const wrong = await verify(id, { auth_session, otp_code: '0' });
    expect(wrong.status).toBe(wrongCodeStatus);
    expect(wrong.json()).toMatchObject({ detail: 'Invalid otp_code.' });
    expect(wrong.json()).not.toHaveProperty('code');
    expect(await stillSignedIn()).toBe(true);
    expect((await verify(id, { auth_session, otp_code: codeOf(manual_input_code) })).status).toBe(
      201,
    );
  });
});

describe.each([400, 403])('a push not yet approved answered with %i', (pushPendingStatus) => {
  test('can be verified once it is', async () => {
    flip({ pushPendingStatus });
    const { id, auth_session } = await start('push-notification');
    expect((await verify(id, { auth_session })).status).toBe(pushPendingStatus);
    await fetch(`${world.tenant.url}/_control/push`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: world.user.email }),
    });
    expect((await verify(id, { auth_session })).status).toBe(201);
  });
});

describe.each([404, 204])('deleting what is not there answered with %i', (status) => {
  test('passes through', async () => {
    flip({ unknownMethodStatus: status, unknownAccountStatus: status });
    expect((await person.call('DELETE', `${methods}/totp%7Cdev_0000000000000000`)).status).toBe(
      status,
    );
    expect(
      (await person.call('DELETE', '/api/me/v1/connected-accounts/accounts/cac_0')).status,
    ).toBe(status);
  });
});

describe.each([
  ['refuse', 400],
  ['ignore', 200],
])('a name for a password: %s', (renameNameless, status) => {
  test('passes through', async () => {
    flip({ renameNameless });
    const listed = (await person.call('GET', `${methods}?type=password`)).json() as {
      authentication_methods: { id: string }[];
    };
    const [password] = listed.authentication_methods;
    expect(
      (
        await person.call('PATCH', `${methods}/${encodeURIComponent(password?.id ?? '')}`, {
          name: 'Mine',
        })
      ).status,
    ).toBe(status);
  });
});

describe.each(['auth0', 'rfc9068'])('access tokens in the profile %s', (accessTokenProfile) => {
  test.each([true, false])(
    'with claims about the sign-in: %s, open the API',
    async (accessTokenAuthClaims) => {
      flip({ accessTokenProfile, accessTokenAuthClaims });
      const another = world.person();
      await another.signIn();
      expect((await another.call('GET', methods)).status).toBe(200);
    },
  );
});

describe.each(['A0E-429-0003', 'A0E-429-0001'])(
  'a refusal by the tenant’s limits with the code %s',
  (rateLimitCode) => {
    test.each([
      ['user', 429, 'rate_limited'],
      ['tenant', 503, 'tenant_busy'],
    ])('of the %s is told apart', async (owner, status, code) => {
      flip({ rateLimitCode });
      const [user] = world.tenant.users.add({
        email: `limited-${rateLimitCode}-${owner}@example.com`,
        password: 'Passw0rd!',
      });
      const theirs = world.person({ email: user?.email ?? '', password: 'Passw0rd!' });
      await theirs.signIn();
      world.tenant.configure({ limits: { [owner]: { authentication_methods_read_filtered: 1 } } });
      try {
        const first = await theirs.call('GET', `${methods}?type=totp`);
        const second = await theirs.call('GET', `${methods}?type=totp`);
        expect([first.status, second.status]).toEqual([200, status]);
        expect(second.json()).toMatchObject({ code });
        expect(Number(second.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      } finally {
        world.tenant.configure({
          limits: { [owner]: { authentication_methods_read_filtered: null } },
        });
      }
    });
  },
);
