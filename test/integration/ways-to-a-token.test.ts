import { generateKeyPairSync } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import { createAuthenticator } from '../helpers/authenticator.ts';
import { codeOf, type Person, type Seen } from '../helpers/person.ts';
import { startWorld, type World } from '../helpers/world.ts';

let world: World;
afterEach(async () => world.close());

const methods = '/api/me/v1/authentication-methods';
const mfa = 'http://auth0.com/oauth/grant-type/mfa-';
const realmGrant = 'http://auth0.com/oauth/grant-type/password-realm';
const webauthnGrant = 'urn:okta:params:oauth:grant-type:webauthn';
const grant_types = [
  'authorization_code',
  'refresh_token',
  realmGrant,
  `${mfa}otp`,
  `${mfa}oob`,
  `${mfa}recovery-code`,
  webauthnGrant,
];
const withPassword = {
  settings: { AUTH0_PASSWORD_REALM: 'Username-Password-Authentication' },
  client: { grant_types },
};

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const keyed = {
  client: {
    grant_types,
    token_endpoint_auth_method: 'private_key_jwt' as const,
    jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig' }] },
  },
  settings: {
    AUTH0_CLIENT_ASSERTION_SIGNING_KEY: privateKey
      .export({ type: 'pkcs8', format: 'pem' })
      .toString(),
  },
};

const readsMethods = async (person: Person): Promise<void> => {
  expect((await person.call('GET', '/auth/session')).json()).toMatchObject({ authenticated: true });
  expect((await person.call('GET', methods)).status).toBe(200);
};
const login = async (person: Person, over: Record<string, string> = {}): Promise<Seen> =>
  person.call('POST', '/auth/password', {
    username: world.user.email,
    password: world.user.password,
    ...over,
  });
const parametersOf = (path: string): Record<string, unknown>[] =>
  world.tenant
    .requests()
    .flatMap((seen) => (seen.path.startsWith(path) ? [{ ...seen.parameters }] : []));

describe('the redirect', () => {
  test('authorization code with PKCE', async () => {
    world = await startWorld({ settings: { AUTH0_PUSHED_AUTHORIZATION_REQUESTS: 'off' } });
    const person = world.person();
    await person.signIn();
    await readsMethods(person);
    const asked = world.tenant.requests().find(({ path }) => path === '/authorize');
    expect(asked?.query).toMatchObject({ code_challenge_method: 'S256', response_type: 'code' });
  });

  test('pushed authorization requests', async () => {
    world = await startWorld({
      settings: { AUTH0_PUSHED_AUTHORIZATION_REQUESTS: 'on' },
      client: { require_pushed_authorization_requests: true },
    });
    const person = world.person();
    await person.signIn();
    await readsMethods(person);
    expect(parametersOf('/oauth/par')).toHaveLength(1);
  });

  test('private_key_jwt, without any secret', async () => {
    world = await startWorld(keyed);
    const person = world.person();
    await person.signIn();
    await readsMethods(person);
    expect(parametersOf('/oauth/token').some((sent) => 'client_secret' in sent)).toBe(false);
  });

  test.each(['on', 'off'])('signed request objects, pushed: %s', async (pushed) => {
    world = await startWorld({
      client: { ...keyed.client, require_signed_request_object: true },
      settings: {
        ...keyed.settings,
        AUTH0_REQUEST_OBJECTS: 'true',
        AUTH0_PUSHED_AUTHORIZATION_REQUESTS: pushed,
      },
    });
    const person = world.person();
    await person.signIn();
    await readsMethods(person);
  });
});

describe('native passkeys', () => {
  const passkeys = (over: Record<string, string> = {}, client: object = { grant_types }) => ({
    settings: { AUTH0_PASSKEYS: 'true', ...over },
    client,
    tenant: { passkeys_on_canonical_domain: true },
  });

  test.each([
    ['a secret', {}, { grant_types }],
    ['private_key_jwt', keyed.settings, keyed.client],
    [
      'a secret, tokens bound by DPoP',
      { AUTH0_DPOP: 'true' },
      { grant_types, require_proof_of_possession: true },
    ],
  ])('register and sign in again, the gateway known by %s', async (_how, settings, client) => {
    world = await startWorld(passkeys(settings, client));
    const device = createAuthenticator();
    const person = world.person();
    const begun = await person.call('POST', '/auth/passkey/register', {
      user_profile: { email: 'key@example.com', name: 'Key' },
    });
    expect(Object.keys(begun.json() as object)).toEqual(['authn_params_public_key']);
    const creation = begun.json() as {
      authn_params_public_key: Parameters<typeof device.create>[0];
    };
    const made = await person.call('POST', '/auth/passkey/verify', {
      authn_response: device.create(creation.authn_params_public_key, world.origin),
    });
    expect([made.status, made.json()]).toEqual([200, { authenticated: true }]);
    await readsMethods(person);
    const first = await person.jar.getCookieString(world.origin);

    const asked = await person.call('POST', '/auth/passkey/challenge');
    expect(Object.keys(asked.json() as object)).toEqual(['authn_params_public_key']);
    const request = asked.json() as { authn_params_public_key: Parameters<typeof device.get>[0] };
    const proof = { authn_response: device.get(request.authn_params_public_key, world.origin) };
    expect((await person.call('POST', '/auth/passkey/verify', proof)).status).toBe(200);
    await readsMethods(person);
    // A new session, the one before it ended, and the ceremony is good once.
    const replay = await fetch(`${world.origin}/auth/profile`, {
      headers: { cookie: first, 'x-csrf': '1' },
    });
    expect(replay.status).toBe(401);
    expect((await person.call('POST', '/auth/passkey/verify', proof)).json()).toMatchObject({
      code: 'login_expired',
    });
  });

  test('a ceremony is good in the browser that began it only, and a wrong proof is refused', async () => {
    world = await startWorld(passkeys());
    const device = createAuthenticator();
    const [person, other] = [world.person(), world.person()];
    const begun = await person.call('POST', '/auth/passkey/register', {
      user_profile: { email: 'key@example.com' },
    });
    const { authn_params_public_key: creation } = begun.json() as {
      authn_params_public_key: Parameters<typeof device.create>[0];
    };
    const proof = { authn_response: device.create(creation, 'https://evil.example') };
    expect((await other.call('POST', '/auth/passkey/verify', proof)).json()).toMatchObject({
      code: 'login_expired',
    });
    expect((await person.call('POST', '/auth/passkey/verify', proof)).json()).toMatchObject({
      code: 'wrong_credentials',
      status: 401,
    });
    expect((await person.call('GET', '/auth/profile')).status).toBe(401);
  });
});

describe('the password', () => {
  test('name and password make the session of a redirect; the end address goes to Auth0, the password nowhere else', async () => {
    world = await startWorld(withPassword);
    const person = world.person();
    const answer = await login(person);
    expect([answer.status, answer.text]).toEqual([200, '{"authenticated":true}']);
    await readsMethods(person);
    const cookies = await person.jar.getCookies(world.origin);
    expect(cookies.map(({ key, httpOnly }) => [key, httpOnly])).toEqual([
      ['my_account_session', true],
    ]);
    const asked = await person.call('POST', methods, { type: 'totp' });
    expect(asked.json()).toMatchObject({ code: 'step_up_required' });
  });

  test('is off unless a realm is set, and so are passkeys and MFA', async () => {
    world = await startWorld();
    const person = world.person();
    for (const path of [
      'password',
      'passkey/challenge',
      'passkey/register',
      'passkey/verify',
      'mfa/verify',
    ]) {
      expect((await person.call('POST', `/auth/${path}`, {})).json()).toMatchObject({
        code: 'not_found',
      });
    }
  });

  test('what is wrong is refused before Auth0 hears of it: another site, another form, unknown members, too much', async () => {
    world = await startWorld(withPassword);
    const person = world.person();
    const body = { username: 'a', password: 'b' };
    const refusals = [
      await person.call('POST', '/auth/password', body, { 'sec-fetch-site': 'cross-site' }),
      await person.call('POST', '/auth/password', 'username=a', {
        'content-type': 'application/x-www-form-urlencoded',
      }),
      await person.call('POST', '/auth/password', { ...body, realm: 'another' }),
      await person.call('POST', '/auth/password', { ...body, password: 'x'.repeat(17_000) }),
      await person.call('GET', '/auth/password'),
    ];
    expect(refusals.map((seen) => (seen.json() as { code: string }).code)).toEqual([
      ...[
        'cross_site_request',
        'unsupported_media_type',
        'invalid_request',
        'body_too_large',
        'method_not_allowed',
      ],
    ]);
    expect(parametersOf('/oauth/token')).toEqual([]);
  });

  test('attempts are counted per account, on all gateways together, whatever the spelling', async () => {
    world = await startWorld({ ...withPassword, gateways: 2 });
    const person = world.person();
    const wrong = [];
    for (let attempt = 0; attempt < 10; attempt += 1) {
      wrong.push(
        await login(person, {
          password: 'no',
          username: attempt % 2 === 0 ? 'somebody@example.com' : 'SOMEBODY@example.com ',
        }),
      );
    }
    expect(wrong.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 401));
    const stopped = await login(person, { password: 'no', username: 'somebody@example.com' });
    expect([stopped.status, stopped.json()]).toMatchObject([429, { code: 'too_many_attempts' }]);
    expect(Number(stopped.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await login(person)).status).toBe(200);
  });

  test('attempts are counted per address and for a /64 of IPv6 as one', async () => {
    world = await startWorld({
      ...withPassword,
      settings: { ...withPassword.settings, TRUST_PROXY: 'loopback' },
    });
    const person = world.person();
    const from = async (address: string, name: string): Promise<number> =>
      (
        await person.call(
          'POST',
          '/auth/password',
          { username: name, password: 'no' },
          { 'x-forwarded-for': address },
        )
      ).status;
    for (let attempt = 0; attempt < 60; attempt += 1)
      await from(`2001:db8:1:2::${attempt.toString(16)}`, `nobody${attempt}`);
    expect(await from('2001:db8:1:2:ffff::1', 'another')).toBe(429);
    expect(await from('2001:db8:1:3::1', 'another')).toBe(401);
    expect(await from('::ffff:192.0.2.1', 'one more')).toBe(401);
  });
});

describe('a second factor after the password', () => {
  const begin = async (who: Record<string, string> = {}): Promise<Person> => {
    world.tenant.configure({ mfa: { always: true } });
    const person = world.person();
    const answer = await login(person, who);
    expect([answer.status, answer.json()]).toMatchObject([403, { code: 'mfa_required' }]);
    expect(answer.text).not.toMatch(/mfa_token|Fe26/);
    expect((await person.call('GET', '/auth/profile')).status).toBe(401);
    return person;
  };

  test('a code of an authenticator app, after a wrong one; it is good once', async () => {
    world = await startWorld(withPassword);
    const person = await begin();
    const list = await person.call('GET', '/auth/mfa/authenticators');
    expect(list.json()).toMatchObject([{ authenticator_type: 'otp', active: true }]);
    expect(
      (await person.call('POST', '/auth/mfa/challenge', { challenge_type: 'otp' })).json(),
    ).toEqual({ challenge_type: 'otp' });
    expect((await person.call('POST', '/auth/mfa/verify', { otp: '000000' })).json()).toMatchObject(
      { code: 'wrong_credentials' },
    );
    const otp = codeOf(world.user.totpSecret ?? '');
    expect((await person.call('POST', '/auth/mfa/verify', { otp })).json()).toEqual({
      authenticated: true,
    });
    await readsMethods(person);
    expect((await person.call('POST', '/auth/mfa/verify', { otp })).json()).toMatchObject({
      code: 'login_expired',
    });
  });

  test('a first factor is enrolled on the way', async () => {
    world = await startWorld({
      ...withPassword,
      settings: { ...withPassword.settings, AUTH0_DPOP: 'true' },
    });
    world.tenant.users.add({ email: 'new@example.com', password: 'pw' });
    const person = await begin({ username: 'new@example.com', password: 'pw' });
    const made = (
      await person.call('POST', '/auth/mfa/associate', { authenticator_types: ['otp'] })
    ).json() as { secret: string };
    expect(
      (await person.call('POST', '/auth/mfa/verify', { otp: codeOf(made.secret) })).status,
    ).toBe(200);
    await readsMethods(person);
  });

  test('a text message, a push and a recovery code', async () => {
    world = await startWorld(withPassword);
    const kinds = [
      { type: 'phone' as const, phone_number: '+15550001111' },
      { type: 'push-notification' as const },
    ];
    const [user] = world.tenant.users.add({
      email: 'many@example.com',
      password: 'pw',
      methods: [...kinds, { type: 'recovery-code' }],
    });
    const who = { username: 'many@example.com', password: 'pw' };
    const ask = async (person: Person, type: string): Promise<Seen> =>
      person.call('POST', '/auth/mfa/challenge', {
        challenge_type: 'oob',
        authenticator_id: user?.methods.find((method) => method.type === type)?.id,
      });

    const sms = await begin(who);
    expect((await ask(sms, 'phone')).json()).toEqual({
      challenge_type: 'oob',
      binding_method: 'prompt',
    });
    const { code } = world.tenant.messages('+15550001111').at(-1) ?? {};
    expect((await sms.call('POST', '/auth/mfa/verify', { binding_code: code })).json()).toEqual({
      authenticated: true,
    });

    const push = await begin(who);
    await ask(push, 'push-notification');
    const waiting = await push.call('POST', '/auth/mfa/verify', {});
    expect([waiting.status, waiting.json()]).toEqual([
      202,
      { authenticated: false, pending: true },
    ]);
    await fetch(`${world.tenant.url}/_control/push`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: who.username }),
    });
    expect((await push.call('POST', '/auth/mfa/verify', {})).json()).toEqual({
      authenticated: true,
    });

    const recovery = await begin(who);
    const answer = await recovery.call('POST', '/auth/mfa/verify', {
      recovery_code: user?.recoveryCode,
    });
    expect(answer.json()).toEqual({
      authenticated: true,
      recovery_code: expect.stringMatching(/^[A-Z0-9]{24}$/),
    });
  });

  test('ten codes may be tried, however often the password is given again', async () => {
    world = await startWorld({ ...withPassword, tenant: { limits: { enforced: false } } });
    for (let round = 0; round < 2; round += 1) {
      const person = await begin();
      for (let attempt = 0; attempt < 5; attempt += 1) {
        expect((await person.call('POST', '/auth/mfa/verify', { otp: '000000' })).status).toBe(401);
      }
    }
    const person = await begin();
    const stopped = await person.call('POST', '/auth/mfa/verify', {
      otp: codeOf(world.user.totpSecret ?? ''),
    });
    expect(stopped.json()).toMatchObject({ code: 'too_many_attempts' });
  });
});

test('client credentials get no token for My Account: such a token is about nobody', async () => {
  world = await startWorld({
    client: { grant_types: ['authorization_code', 'refresh_token', 'client_credentials'] },
  });
  const body = {
    grant_type: 'client_credentials',
    client_id: 'world',
    client_secret: world.clientSecret,
    audience: `${world.tenant.issuer}me/`,
  };
  const answer = await fetch(`${world.tenant.url}/oauth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(answer.status).toBe(403);
  expect(await answer.json()).toMatchObject({ error: 'access_denied' });
});
