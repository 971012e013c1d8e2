import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { generateSync } from 'otplib';
import { createAuthenticator, type CreationOptions } from '../helpers/authenticator.ts';
import { startBench, tokenOf, type Bench, type BenchAnswer } from './my-account-bench.ts';
import { everyBucket } from '../helpers/buckets.ts';
import { loadContract } from './my-account-openapi.ts';

const contract = loadContract();

const scopes = [
  'read:me:factors',
  ...['read', 'create', 'update', 'delete'].map((verb) => `${verb}:me:authentication_methods`),
  ...['read', 'create', 'delete'].map((verb) => `${verb}:me:connected_accounts`),
  ...['read', 'update'].map((verb) => `${verb}:me:profile`),
];
const roomy = { tenant: everyBucket(1e6), user: everyBucket(1e6) };
const id = encodeURIComponent;

let bench: Bench;
let user = '';
const seen = new Set<string>();

beforeAll(async () => {
  bench = await startBench({ limits: roomy });
});
beforeEach(() => {
  bench.state.reset();
  user = bench.user();
});
afterAll(async () => {
  await bench.close();
});

/** Calls an operation and holds the answer against the contract. */
async function call(
  method: string,
  path: string,
  options: Parameters<Bench['call']>[2] = {},
): Promise<BenchAnswer> {
  const answer = await bench.call(method, path, { token: tokenOf(user, scopes), ...options });
  const operation = contract.operationOf(method, path.split('?')[0] ?? '');
  if (!operation) throw new Error(`${method} ${path} is no operation of the contract.`);
  seen.add(`${method} ${operation.path} ${answer.status}`);
  expect(contract.faults(operation, answer)).toEqual([]);
  return answer;
}

/** A member of an answer that must be there, as text. */
function member(answer: BenchAnswer, ...path: string[]): string {
  let value: unknown = answer.body;
  for (const name of path)
    value = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
  if (typeof value !== 'string')
    throw new Error(`${path.join('.')} is no text in ${JSON.stringify(answer.body)}`);
  return value;
}

const methods = async () =>
  (await call('GET', '/authentication-methods')).body as {
    authentication_methods: { id: string; type: string }[];
  };
const start = (body: object) => call('POST', '/authentication-methods', { body });
const verify = (method: string, body: object) =>
  call('POST', `/authentication-methods/${id(method)}/verify`, { body });

async function enrolTotp(): Promise<string> {
  const started = await start({ type: 'totp' });
  const secret = member(started, 'manual_input_code');
  await verify(member(started, 'id'), {
    auth_session: member(started, 'auth_session'),
    otp_code: generateSync({ secret }),
  });
  return member(started, 'id');
}

const verifier = randomBytes(32).toString('base64url');
const challenge = createHash('sha256').update(verifier).digest('base64url');
const redirect_uri = 'https://app.example.com/connected';
const connectBody = {
  connection: 'github',
  redirect_uri,
  state: 'abc',
  code_challenge: challenge,
  code_challenge_method: 'S256',
};

/** Connects and, as the user, allows it on the provider's page; answers what complete needs. */
async function agree(login: string, body: object = connectBody) {
  const connected = await call('POST', '/connected-accounts/connect', { body });
  const page = `${member(connected, 'connect_uri')}?ticket=${member(connected, 'connect_params', 'ticket')}`;
  expect((await fetch(page)).status).toBe(200);
  const form = new URLSearchParams({
    ticket: member(connected, 'connect_params', 'ticket'),
    login,
    answer: 'allow',
  });
  const back = await fetch(page, { method: 'POST', body: form, redirect: 'manual' });
  const target = new URL(back.headers.get('location') ?? '');
  return {
    auth_session: member(connected, 'auth_session'),
    connect_code: target.searchParams.get('connect_code') ?? '',
    redirect_uri,
    target,
  };
}

async function connect(login: string, connection = 'github'): Promise<BenchAnswer> {
  const { target: _, ...agreed } = await agree(login, { ...connectBody, connection });
  return call('POST', '/connected-accounts/complete', {
    body: { ...agreed, code_verifier: verifier },
  });
}

describe('factors and authentication methods', () => {
  test('the factors enabled on the tenant are listed, and only those', async () => {
    bench.state.configure({ my_account: { factors: ['totp', 'passkey'] } });
    const { body } = await call('GET', '/factors');
    expect(body).toEqual({
      factors: [
        { type: 'totp', usage: ['secondary'] },
        { type: 'passkey', usage: ['primary'] },
      ],
    });
  });

  test('the list shows what the user has, and of one type when asked', async () => {
    await enrolTotp();
    expect((await methods()).authentication_methods.map(({ type }) => type)).toEqual([
      'password',
      'totp',
    ]);
    const { body } = await call('GET', '/authentication-methods?type=totp');
    expect(body).toMatchObject({ authentication_methods: [{ type: 'totp', confirmed: true }] });
  });

  test('one method is read, renamed and removed by its id', async () => {
    const method = await enrolTotp();
    expect((await call('GET', `/authentication-methods/${id(method)}`)).body).toMatchObject({
      id: method,
    });
    const renamed = await call('PATCH', `/authentication-methods/${id(method)}`, {
      body: { name: 'My phone' },
    });
    expect(renamed).toMatchObject({ status: 200, body: { id: method, name: 'My phone' } });
    expect((await call('DELETE', `/authentication-methods/${id(method)}`)).status).toBe(204);
    expect((await call('GET', `/authentication-methods/${id(method)}`)).status).toBe(404);
  });

  test('a method being enrolled is listed as unconfirmed until it is verified', async () => {
    const started = await start({ type: 'totp' });
    expect(
      (await call('GET', `/authentication-methods/${id(member(started, 'id'))}`)).body,
    ).toMatchObject({ confirmed: false });
  });

  test.each([
    ['email', { type: 'email', email: 'second@example.com' }, 'second@example.com'],
    ['sms', { type: 'phone', phone_number: '+15551234567' }, '+15551234567'],
    [
      'voice',
      { type: 'phone', phone_number: '+15551234567', preferred_authentication_method: 'voice' },
      '+15551234567',
    ],
  ])('a code sent by %s confirms it, a wrong one does not', async (channel, body, to) => {
    const started = await start(body);
    expect(started.headers.get('location')).toBe(
      `${bench.origin}/me/v1/authentication-methods/${id(member(started, 'id'))}`,
    );
    const [message] = bench.state.messages.list(to);
    expect(message?.channel).toBe(channel);
    const auth_session = member(started, 'auth_session');
    const code = message?.code ?? '';
    const wrong = code === '000000' ? '000001' : '000000';
    expect((await verify(member(started, 'id'), { auth_session, otp_code: wrong })).status).toBe(
      400,
    );
    expect(await verify(member(started, 'id'), { auth_session, otp_code: code })).toMatchObject({
      status: 201,
      body: { confirmed: true },
    });
    expect((await verify(member(started, 'id'), { auth_session, otp_code: code })).status).toBe(
      400,
    );
  });

  test('a recovery code is shown once; a new one takes the place of the old', async () => {
    for (const _ of [1, 2]) {
      const started = await start({ type: 'recovery-code' });
      expect(member(started, 'recovery_code')).toHaveLength(24);
      expect(
        (await verify(member(started, 'id'), { auth_session: member(started, 'auth_session') }))
          .status,
      ).toBe(201);
    }
    expect((await methods()).authentication_methods.map(({ type }) => type)).toEqual([
      'password',
      'recovery-code',
    ]);
  });

  test('a push notification is confirmed once it was approved', async () => {
    const started = await start({ type: 'push-notification' });
    const finish = () =>
      verify(member(started, 'id'), { auth_session: member(started, 'auth_session') });
    expect((await finish()).status).toBe(400);
    const enrolment = bench.state.enrolments.find(member(started, 'auth_session'));
    if (enrolment) enrolment.approved = true;
    expect(await finish()).toMatchObject({
      status: 201,
      body: { type: 'push-notification', confirmed: true },
    });
  });

  test('a password is set after its policy was shown, and the policy holds', async () => {
    bench.state.configure({ password_policy: { history_size: 3 } });
    const started = await start({ type: 'password' });
    expect(started.headers.get('location')).toMatch(/\/password%7Cnew$/);
    expect(started.body).toMatchObject({
      id: 'password|new',
      policy: { complexity: { min_length: 8 }, history: { active: true, size: 3 } },
    });
    const set = (new_password: string) =>
      verify('password|new', { auth_session: member(started, 'auth_session'), new_password });
    expect((await set('short')).status).toBe(400);
    expect((await set('Passw0rd!')).status).toBe(400);
    expect(await set('MySecureP@ssw0rd!')).toMatchObject({
      status: 201,
      body: { type: 'password', identity_user_id: user },
    });
    expect((await methods()).authentication_methods).toHaveLength(1);
  });

  test.each(['none', 'self'] as const)(
    'a passkey with %s attestation is verified and kept',
    async (attestation) => {
      const { auth_session, credential } = await makePasskey(attestation, 'http://localhost:3000');
      const verified = await verify('passkey|new', { auth_session, authn_response: credential });
      expect(verified).toMatchObject({
        status: 201,
        body: { type: 'passkey', key_id: credential.id, relying_party_id: 'localhost' },
      });
      expect(verified.headers.get('location')).toMatch(/\/passkey%7Cdev_[A-Za-z0-9]{16}$/);
      expect(
        (await verify('passkey|new', { auth_session, authn_response: credential })).status,
      ).toBe(400);
    },
  );

  test.each([
    ['a forged attestation', 'forged', 'http://localhost:3000'],
    ['another site', 'none', 'https://evil.example'],
    ['a site that only ends in the name', 'none', 'https://evillocalhost'],
  ] as const)('a passkey with %s is refused', async (_, attestation, origin) => {
    const { auth_session, credential } = await makePasskey(attestation, origin);
    expect((await verify('passkey|new', { auth_session, authn_response: credential })).status).toBe(
      400,
    );
    expect((await methods()).authentication_methods.map(({ type }) => type)).toEqual(['password']);
  });

  test('a passkey for another challenge is refused', async () => {
    const { credential } = await makePasskey('none', 'http://localhost:3000');
    const { auth_session } = await makePasskey('none', 'http://localhost:3000');
    expect((await verify('passkey|new', { auth_session, authn_response: credential })).status).toBe(
      400,
    );
  });

  test('an enrolment belongs to its user, its method and its time', async () => {
    const started = await start({ type: 'totp' });
    const body = {
      auth_session: member(started, 'auth_session'),
      otp_code: generateSync({ secret: member(started, 'manual_input_code') }),
    };
    const other = await enrolTotp();
    expect((await verify(other, body)).status).toBe(400);
    bench.state.configure({ clockOffsetSeconds: 3600 });
    expect((await verify(member(started, 'id'), body)).status).toBe(400);
  });

  test('security keys of the time before passkeys are shown, renamed and removed, but not enrolled', async () => {
    user = bench.user({
      methods: [
        { type: 'webauthn-roaming', key_id: 'a2V5', public_key: 'pQEC' },
        { type: 'webauthn-platform' },
      ],
    });
    const [roaming, platform] = (await methods()).authentication_methods.filter(({ type }) =>
      type.startsWith('webauthn'),
    );
    expect(roaming).toMatchObject({ type: 'webauthn-roaming', key_id: 'a2V5', confirmed: true });
    const path = `/authentication-methods/${id(roaming?.id ?? '')}`;
    expect((await call('PATCH', path, { body: { name: 'My key' } })).body).toMatchObject({
      name: 'My key',
    });
    expect((await call('DELETE', `/authentication-methods/${id(platform?.id ?? '')}`)).status).toBe(
      204,
    );
    expect((await start({ type: 'webauthn-platform' })).status).toBe(400);
    expect((await call('POST', `${path}/verify`, { body: { auth_session: 'x' } })).status).toBe(
      404,
    );
  });

  test('the last primary method stays', async () => {
    const [password] = (await methods()).authentication_methods;
    expect((await call('DELETE', `/authentication-methods/${id(password?.id ?? '')}`)).status).toBe(
      409,
    );
    bench.state.configure({ switches: { conflictOnLastPrimary: false } });
    expect((await call('DELETE', `/authentication-methods/${id(password?.id ?? '')}`)).status).toBe(
      204,
    );
  });

  test('a name for a method that has none, and a channel for one that is no telephone, are refused or ignored as the switch says', async () => {
    const [password] = (await methods()).authentication_methods;
    const totp = await enrolTotp();
    const patch = (method: string, body: object) =>
      call('PATCH', `/authentication-methods/${id(method)}`, { body });
    expect((await patch(password?.id ?? '', { name: 'Mine' })).status).toBe(400);
    expect((await patch(totp, { preferred_authentication_method: 'sms' })).status).toBe(400);
    bench.state.configure({ switches: { renameNameless: 'ignore' } });
    expect((await patch(password?.id ?? '', { name: 'Mine' })).body).not.toHaveProperty('name');
  });

  test('nothing of another user is to be seen or changed', async () => {
    const method = await enrolTotp();
    user = bench.user();
    expect((await call('GET', `/authentication-methods/${id(method)}`)).status).toBe(404);
    expect(
      (await call('PATCH', `/authentication-methods/${id(method)}`, { body: { name: 'Mine' } }))
        .status,
    ).toBe(404);
    expect((await call('DELETE', `/authentication-methods/${id(method)}`)).status).toBe(404);
  });

  async function makePasskey(attestation: 'none' | 'self' | 'forged', origin: string) {
    const started = await start({ type: 'passkey', use_exclude_credentials: true });
    expect(started.headers.get('location')).toMatch(
      /\/me\/v1\/authentication-methods\/passkey%7Cnew$/,
    );
    expect(started.body).not.toHaveProperty('id');
    const { authn_params_public_key: options } = started.body as {
      authn_params_public_key: CreationOptions;
    };
    return {
      auth_session: member(started, 'auth_session'),
      credential: createAuthenticator().create(options, origin, { attestation }),
    };
  }
});

describe('connected accounts', () => {
  test('an account is connected through the provider, listed, and removed', async () => {
    const completed = await connect('octocat');
    expect(completed).toMatchObject({
      status: 201,
      body: { connection: 'github', access_type: 'offline' },
    });
    const listed = await call('GET', '/connected-accounts/accounts');
    expect(listed.body).toEqual({ accounts: [completed.body] });
    expect(
      (await call('DELETE', `/connected-accounts/accounts/${member(completed, 'id')}`)).status,
    ).toBe(204);
    expect((await call('GET', '/connected-accounts/accounts')).body).toEqual({ accounts: [] });
  });

  test('accounts and connections come in pages; a page names the next until the last', async () => {
    for (const login of ['a', 'b', 'c']) await connect(login);
    await connect('d', 'google-oauth2');
    const first = await call('GET', '/connected-accounts/accounts?take=2');
    const second = await call(
      'GET',
      `/connected-accounts/accounts?take=2&from=${member(first, 'next')}`,
    );
    expect(first.body).toMatchObject({ accounts: [{}, {}] });
    expect(second.body).not.toHaveProperty('next');
    const one = await call('GET', '/connected-accounts/connections?take=1');
    expect(one.body).toMatchObject({ connections: [{ name: 'google-oauth2' }] });
    const two = await call(
      'GET',
      `/connected-accounts/connections?take=1&from=${member(one, 'next')}`,
    );
    expect(two.body).toEqual({
      connections: [{ name: 'github', strategy: 'github', scopes: ['read:user'] }],
    });
  });

  test('the list is narrowed to one connection, or to several', async () => {
    await connect('a');
    await connect('b', 'google-oauth2');
    expect(
      (await call('GET', '/connected-accounts/accounts?connection=github')).body,
    ).toMatchObject({
      accounts: [{ connection: 'github' }],
    });
    expect(
      (await call('GET', '/connected-accounts/accounts?connection=github&connection=google-oauth2'))
        .body,
    ).toMatchObject({
      accounts: [{}, {}],
    });
  });

  test('the same account at the provider a second time is a conflict', async () => {
    await connect('octocat');
    expect((await connect('octocat')).status).toBe(409);
  });

  test.each([
    ['a wrong verifier', { code_verifier: randomBytes(32).toString('base64url') }],
    ['no verifier', {}],
    ['a wrong code', { code_verifier: verifier, connect_code: 'wrong' }],
    [
      'another redirect_uri',
      { code_verifier: verifier, redirect_uri: 'https://app.example.com/else' },
    ],
  ])('complete with %s is refused', async (_, change) => {
    const { target: __, ...agreed } = await agree('octocat');
    expect(
      (await call('POST', '/connected-accounts/complete', { body: { ...agreed, ...change } }))
        .status,
    ).toBe(400);
    expect((await call('GET', '/connected-accounts/accounts')).body).toEqual({ accounts: [] });
  });

  test('a session that is unknown, another user’s, spent or too old is 404', async () => {
    const { target, ...agreed } = await agree('octocat');
    expect(target.searchParams.get('state')).toBe('abc');
    const complete = () =>
      call('POST', '/connected-accounts/complete', {
        body: { ...agreed, code_verifier: verifier },
      });
    const owner = user;
    user = bench.user();
    expect((await complete()).status).toBe(404);
    user = owner;
    bench.state.configure({ clockOffsetSeconds: 301 });
    expect((await complete()).status).toBe(404);
    bench.state.configure({ clockOffsetSeconds: 0 });
    expect((await complete()).status).toBe(201);
    expect((await complete()).status).toBe(404);
  });

  test('a user who denies comes back with an error and no code', async () => {
    const connected = await call('POST', '/connected-accounts/connect', { body: connectBody });
    const form = new URLSearchParams({
      ticket: member(connected, 'connect_params', 'ticket'),
      answer: 'deny',
    });
    const back = await fetch(member(connected, 'connect_uri'), {
      method: 'POST',
      body: form,
      redirect: 'manual',
    });
    const target = new URL(back.headers.get('location') ?? '');
    expect(Object.fromEntries(target.searchParams)).toEqual({
      error: 'access_denied',
      error_description: expect.any(String),
      state: 'abc',
    });
  });

  test('a ticket that is not known gets a readable page', async () => {
    const page = await fetch(`${bench.origin}/connected-accounts/connect?ticket=nonsense`);
    expect(page.status).toBe(400);
    expect(await page.text()).toContain('Go back to the application');
  });
});

// What breaks the schema of each operation, and the finding in Ajv's words where there is a body or a query to find it in.
const unfit: [string, string, object | undefined, string | undefined][] = [
  ['GET', '/factors?x=%E0%A4%A', undefined, undefined],
  [
    'GET',
    '/authentication-methods?type=sms',
    undefined,
    'data/type must be equal to one of the allowed values',
  ],
  [
    'POST',
    '/authentication-methods',
    { type: 'totp', name: 'x' },
    'data must NOT have additional properties',
  ],
  [
    'POST',
    '/authentication-methods',
    { type: 'email' },
    "data must have required property 'email'",
  ],
  [
    'POST',
    '/authentication-methods',
    { type: 'webauthn-roaming' },
    'data/type must be equal to one of the allowed values',
  ],
  ['GET', '/authentication-methods/%E0%A4%A', undefined, undefined],
  [
    'PATCH',
    '/authentication-methods/METHOD',
    { name: 'x', type: 'totp' },
    'data must NOT have additional properties',
  ],
  [
    'PATCH',
    '/authentication-methods/METHOD',
    { preferred_authentication_method: 'fax' },
    'data/preferred_authentication_method must be equal to one of the allowed values',
  ],
  ['DELETE', '/authentication-methods/%E0%A4%A', undefined, undefined],
  [
    'POST',
    '/authentication-methods/METHOD/verify',
    { auth_session: 'x' },
    "data must have required property 'otp_code'",
  ],
  [
    'POST',
    '/connected-accounts/connect',
    { redirect_uri },
    "data must have required property 'connection'",
  ],
  [
    'POST',
    '/connected-accounts/connect',
    { connection: 'x', redirect_uri: 'nowhere' },
    'data/redirect_uri must match format "uri"',
  ],
  [
    'POST',
    '/connected-accounts/complete',
    { auth_session: 'x', redirect_uri },
    "data must have required property 'connect_code'",
  ],
  ['GET', '/connected-accounts/accounts?take=21', undefined, 'data/take must be <= 20'],
  ['GET', '/connected-accounts/accounts?from=nonsense', undefined, undefined],
  ['GET', '/connected-accounts/connections?take=0', undefined, 'data/take must be >= 1'],
  [
    'DELETE',
    '/connected-accounts/accounts/nonsense',
    undefined,
    'data/id must match pattern "^cac_[A-Za-z0-9]+$"',
  ],
  ['GET', '/profile?fields=password', undefined, undefined],
  ['PATCH', '/profile', { name: '' }, 'data/name must NOT have fewer than 1 characters'],
];

describe('what does not fit the schema', () => {
  test.each(unfit)('%s %s %j is 400', async (method, path, body, detail) => {
    const totp = await enrolTotp();
    const { status, body: answer } = await call(
      method,
      path.replace('METHOD', id(totp)),
      body === undefined ? {} : { body },
    );
    expect(status).toBe(400);
    if (detail !== undefined) {
      const type: unknown = expect.stringContaining('A0E-400-0003');
      expect(answer).toMatchObject({
        type,
        detail: 'Invalid request payload input',
        validation_errors: [{ detail }],
      });
    }
  });

  test('a profile that the tenant has not enabled is 404', async () => {
    bench.state.configure({ my_account: { profile: false } });
    expect((await call('GET', '/profile')).status).toBe(404);
    expect((await call('PATCH', '/profile', { body: { name: 'Ann' } })).status).toBe(404);
  });

  test('what is no JSON is 400', async () => {
    expect((await call('POST', '/authentication-methods', { raw: '{' })).status).toBe(400);
  });
});

describe.each(contract.operations)('$method $path', ({ method, path, statuses }) => {
  const target = path
    .replace('{authentication_method_id}', id('totp|dev_0000000000000000'))
    .replace('{id}', 'cac_0');
  const scope = scopes.find((one) => one === scopeOf(method, path)) ?? '';

  test('without a token, or with one that is none, is 401 with a challenge', async () => {
    const missing = await bench.call(method, target);
    expect(missing.headers.get('www-authenticate')).toBe('Bearer realm="api"');
    const wrong = await call(method, target, { token: 'nonsense' });
    expect(wrong).toMatchObject({
      status: 401,
      body: { type: 'https://auth0.com/api-errors/A0E-401-0003' },
    });
    expect(wrong.headers.get('www-authenticate')).toContain('error="invalid_token"');
  });

  test('without its scope is 403 A0E-403-0002 and names the scope; with nothing but its scope it is let in', async () => {
    const others = scopes.filter((one) => one !== scope);
    const refused = await call(method, target, { token: tokenOf(user, others) });
    expect(refused).toMatchObject({
      status: 403,
      body: { type: 'https://auth0.com/api-errors/A0E-403-0002' },
    });
    expect(refused.headers.get('www-authenticate')).toContain(
      `error="insufficient_scope", error_description="Insufficient Scope", scope="${scope}"`,
    );
    expect((await call(method, target, { token: tokenOf(user, [scope]) })).status).not.toBe(403);
  });

  if (statuses.includes(415)) {
    test('with a body that is not JSON is 415', async () => {
      expect(
        (
          await call(method, target, {
            raw: 'type=totp',
            type: 'application/x-www-form-urlencoded',
          })
        ).status,
      ).toBe(415);
    });
  }

  test.each(['user', 'tenant'] as const)(
    'one request more than the %s may send is 429 and says whose limit it was',
    async (owner) => {
      bench.state.configure({ limits: { [owner]: everyBucket(1) } });
      const first = await call(method, target);
      expect(first.headers.get('x-ratelimit-remaining')).toBe('0');
      const second = await call(method, target);
      expect(second).toMatchObject({
        status: 429,
        body: { type: 'https://auth0.com/api-errors/A0E-429-0003', status: 429 },
      });
      expect(second.headers.get('x-auth0-error-kind')).toBe(
        owner === 'tenant' ? 'global-rate-limit' : null,
      );
      // Whole seconds, counted down from the first request: the second may come a moment into the next one.
      expect(owner === 'tenant' ? ['1'] : ['59', '60']).toContain(
        second.headers.get('retry-after'),
      );
    },
  );
});

/** The scope of an operation, as section 1.1 of the API's reference lists it. */
function scopeOf(method: string, path: string): string {
  if (path === '/factors') return 'read:me:factors';
  if (path === '/profile') return method === 'GET' ? 'read:me:profile' : 'update:me:profile';
  const verb = { GET: 'read', POST: 'create', PATCH: 'update', DELETE: 'delete' }[method] ?? '';
  return `${verb}:me:${path.startsWith('/connected') ? 'connected_accounts' : 'authentication_methods'}`;
}

describe('the contract', () => {
  test('names fourteen operations', () => {
    expect(contract.operations).toHaveLength(14);
  });

  // Last on purpose: it looks back on everything above.
  test('was driven whole: every operation in every status it lists', () => {
    const listed = contract.operations.flatMap(({ method, path, statuses }) =>
      statuses.map((status) => `${method} ${path} ${status}`),
    );
    expect(listed.filter((one) => !seen.has(one))).toEqual([]);
  });
});
