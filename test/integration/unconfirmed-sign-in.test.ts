import { afterEach, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TenantOptions } from '../../src/tenant/index.ts';
import type { Person } from '../helpers/person.ts';
import { startWorld, type World } from '../helpers/world.ts';

// What nobody outside Auth0 knows of signing in, of tokens and of limits is a switch of the tenant. The gateway must do right in every position.

let world: World;
afterEach(async () => world.close());

type Position = NonNullable<TenantOptions['switches']>;
const methods = '/api/me/v1/authentication-methods';
const roomy = {
  RATE_LIMIT_USER_READ: '1000',
  RATE_LIMIT_USER_FACTORS_READ: '1000',
  RATE_LIMIT_USER_WRITE: '1000',
  RATE_LIMIT_USER_FILTERED: '1000',
};
const grants = [
  'authorization_code',
  'refresh_token',
  'password',
  'http://auth0.com/oauth/grant-type/password-realm',
  'http://auth0.com/oauth/grant-type/mfa-otp',
];

const begin = async (
  switches: Position,
  tenant: TenantOptions = {},
  settings: Record<string, string> = {},
): Promise<Person> => {
  world = await startWorld({
    settings: { ...roomy, ...settings },
    client: { grant_types: grants },
    tenant: { limits: { enforced: false }, ...tenant, switches },
  });
  return world.person();
};
const steppedUp = async (person: Person): Promise<void> => {
  const { stepUpUrl } = (await person.call('POST', methods, { type: 'recovery-code' })).json() as {
    stepUpUrl: string;
  };
  await person.answerForms(await person.visit(stepUpUrl));
};

describe.each<[string, Position[]]>([
  ['the life of a pushed request', [{ parSeconds: 30 }, { parSeconds: 60 }]],
  ['whether PATCH is counted', [{ patchCost: 'write' }, { patchCost: 'none' }]],
  ['the life of an enrolment', [{ authSessionSeconds: 600 }, { authSessionSeconds: 60 }]],
])('%s', (_name, positions) => {
  test.each(positions)(
    '%j: sign-in, reads, step-up and an addition go through under the strict limits of the plan',
    async (position) => {
      const person = await begin(
        position,
        { limits: { enforced: true } },
        { RATE_LIMIT_USER_READ: '5', RATE_LIMIT_USER_WRITE: '5', RATE_LIMIT_USER_FILTERED: '20' },
      );
      await person.signIn();
      expect((await person.call('GET', methods)).status).toBe(200);
      expect((await person.call('GET', `${methods}?type=totp`)).status).toBe(200);
      expect((await person.call('GET', '/api/me/v1/factors')).status).toBe(200);
      await steppedUp(person);
      expect((await person.call('POST', methods, { type: 'recovery-code' })).status).toBe(202);
      expect(world.tenant.requests().filter(({ status }) => status === 429)).toEqual([]);
    },
  );
});

test.each([true, false])(
  'whether the last primary method is kept by a 409 (%s): the answer passes through, nobody is signed out',
  async (conflictOnLastPrimary) => {
    const scope =
      'openid profile email offline_access read:me:authentication_methods delete:me:authentication_methods';
    const person = await begin({ conflictOnLastPrimary }, {}, { AUTH0_SCOPE: scope });
    await person.signIn();
    const { authentication_methods: all } = (await person.call('GET', methods)).json() as {
      authentication_methods: { id: string; type: string }[];
    };
    const password = all.find(({ type }) => type === 'password');
    const removal = await person.call(
      'DELETE',
      `${methods}/${encodeURIComponent(password?.id ?? '')}`,
    );
    expect(removal.status).toBe(conflictOnLastPrimary ? 409 : 204);
    expect((await person.call('GET', '/auth/profile')).status).toBe(200);
  },
);

test.each([400, 401, 403] as const)(
  'unmet requirements at a refresh told with %i: a step-up, not the end of the session',
  async (unmetRequirementsStatus) => {
    const person = await begin(
      { unmetRequirementsStatus },
      { tokens: { accessTokenSeconds: 1 }, my_account: { default_policy: 'require_2fa' } },
    );
    const [bare] = world.tenant.users.add({
      email: 'bare@example.com',
      password: 'bare-password',
      email_verified: false,
    });
    const someone = world.person({ email: bare?.email ?? '', password: 'bare-password' });
    await someone.signIn();
    world.tenant.configure({ clockOffsetSeconds: 1_000 });
    await sleep(1_100);
    const answer = await someone.call('GET', methods);
    expect(answer.json()).toMatchObject({ code: 'step_up_required' });
    expect((await someone.call('GET', '/auth/session')).json()).toMatchObject({
      authenticated: true,
    });
    expect((await person.call('GET', '/auth/session')).json()).toEqual({ authenticated: false });
  },
);

test.each([401, 403] as const)(
  'MFA demanded at a refresh told with %i: a step-up, and the token is kept here',
  async (mfaRequiredStatus) => {
    const person = await begin(
      { mfaRequiredStatus },
      { tokens: { accessTokenSeconds: 1 }, my_account: { default_policy: 'require_2fa' } },
    );
    await person.signIn();
    world.tenant.configure({ clockOffsetSeconds: 1_000 });
    await sleep(1_100);
    const answer = await person.call('GET', methods);
    expect(answer.json()).toMatchObject({ code: 'step_up_required', reason: 'mfa_required' });
    expect(answer.text).not.toContain('mfa_token');
  },
);

test.each([300, 600])(
  'an mfa_token living %i s: a password with a second factor makes a session',
  async (mfaTokenSeconds) => {
    const person = await begin(
      { mfaTokenSeconds },
      { mfa: { always: true } },
      { AUTH0_PASSWORD_REALM: 'Username-Password-Authentication' },
    );
    const first = await person.call('POST', '/auth/password', {
      username: world.user.email,
      password: world.user.password,
    });
    expect(first.json()).toMatchObject({ code: 'mfa_required' });
  },
);

test.each([400, 403] as const)(
  'a bad code told with %i ends in a clear failure',
  async (badCodeStatus) => {
    const person = await begin({ badCodeStatus });
    const door = `${world.origin}/auth/callback`;
    const shown = await person.visit('/auth/login?returnTo=/kept');
    const action = new URL(
      /action="([^"]*)"/.exec(shown.text)?.[1]?.replaceAll('&amp;', '&') ?? '',
      shown.url,
    ).href;
    const state = /name="state"[^>]*value="([^"]*)"/.exec(shown.text)?.[1] ?? '';
    const { url } = await person.visit(action, {
      method: 'POST',
      form: { state, username: world.user.email, password: world.user.password },
      stopAt: door,
    });
    const forged = new URL(url);
    forged.searchParams.set('code', 'not-a-code-of-this-tenant');
    expect((await person.call('GET', forged.href)).json()).toMatchObject({
      code: 'login_failed',
      returnTo: '/kept',
    });
  },
);

test.each(['invalid_grant', 'invalid_user_password'] as const)(
  'a wrong password told as %s is told as a wrong password',
  async (wrongPasswordError) => {
    const person = await begin(
      { wrongPasswordError },
      {},
      { AUTH0_PASSWORD_REALM: 'Username-Password-Authentication' },
    );
    const answer = await person.call('POST', '/auth/password', {
      username: world.user.email,
      password: 'wrong',
    });
    expect(answer.status).toBe(401);
    expect(answer.json()).toMatchObject({ code: 'wrong_credentials' });
  },
);

test.each(['invalid_client', 'access_denied'] as const)(
  'a wrong client secret told as %s is a failed sign-in, never a 500',
  async (badClientError) => {
    const person = await begin(
      { badClientError },
      {},
      { AUTH0_CLIENT_SECRET: 'wrong', AUTH0_PUSHED_AUTHORIZATION_REQUESTS: 'off' },
    );
    const back = await person.signIn();
    expect(back.status).toBe(400);
    expect(back.text).toContain('<h1>');
  },
);

test.each([400, 403] as const)(
  'a grant that is not enabled, told with %i, is a clear failure',
  async (grantNotEnabledStatus) => {
    world = await startWorld({
      settings: { ...roomy, AUTH0_PASSWORD_REALM: 'Username-Password-Authentication' },
      client: { grant_types: ['authorization_code', 'refresh_token'] },
      tenant: { switches: { grantNotEnabledStatus } },
    });
    const answer = await world.person().call('POST', '/auth/password', {
      username: world.user.email,
      password: world.user.password,
    });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect((answer.json() as { code: string }).code).not.toBe('internal');
  },
);

test.each([true, false])(
  'a nonce demanded at the token endpoint (%s): sign-in and refresh go through with DPoP',
  async (dpopNonceForConfidential) => {
    const person = await begin(
      { dpopNonceForConfidential },
      { tokens: { accessTokenSeconds: 1 } },
      { AUTH0_DPOP: 'true' },
    );
    await person.signIn();
    await sleep(1_100);
    expect((await person.call('GET', methods)).status).toBe(200);
  },
);

test.each([true, false])(
  'a changed password ending sessions (%s): told or not, the gateway says what is so',
  async (passwordChangeEndsSessions) => {
    const scope =
      'openid profile email offline_access read:me:authentication_methods create:me:authentication_methods';
    const person = await begin({ passwordChangeEndsSessions }, {}, { AUTH0_SCOPE: scope });
    await person.signIn();
    const begun = (await person.call('POST', methods, { type: 'password' })).json() as {
      id: string;
      auth_session: string;
    };
    const done = await person.call('POST', `${methods}/${encodeURIComponent(begun.id)}/verify`, {
      auth_session: begun.auth_session,
      new_password: 'Another-password-1',
    });
    expect(done.status).toBe(201);
    await sleep(300);
    const { authenticated } = (await person.call('GET', '/auth/session')).json() as {
      authenticated: boolean;
    };
    const { status } = await person.call('GET', '/auth/profile');
    expect(status).toBe(authenticated ? 200 : 401);
    if (!passwordChangeEndsSessions) expect(authenticated).toBe(true);
  },
);

test.each(['empty', 'error'] as const)(
  'nothing granted of what was asked (%s): a readable failure or a clear refusal, never a loop',
  async (emptyScope) => {
    const person = await begin(
      { emptyScope },
      { grants: [{ client_id: 'world', scope: ['read:me:consents'] }] },
    );
    const back = await person.signIn();
    expect(back.status).toBeLessThan(500);
    const answer = await person.call('GET', methods);
    expect([401, 403]).toContain(answer.status);
  },
);

test.each<Position>([
  { connectCompleteStatus: 201 },
  { connectCompleteStatus: 200 },
  { connectRedirect: 'registered' },
  { connectRedirect: 'any' },
  { connectedAgain: 'conflict' },
  { connectedAgain: 'replace' },
])('connecting an account, once and again, with %j ends where it began', async (position) => {
  const scope =
    'openid profile email offline_access read:me:connected_accounts create:me:connected_accounts';
  const person = await begin(position, {}, { AUTH0_SCOPE: scope });
  await person.signIn();
  for (let time = 0; time < 2; time += 1) {
    const page = await person.visit('/auth/connect?connection=google-oauth2&returnTo=%2Faccounts', {
      headers: { 'sec-fetch-site': 'same-origin' },
    });
    const ticket = /name="ticket" value="([^"]*)"/.exec(page.text)?.[1] ?? '';
    const back = await person.visit(page.url, {
      method: 'POST',
      form: { ticket, login: 'me@provider.example', answer: 'allow' },
    });
    if (time === 0) expect(back.url).toBe(`${world.origin}/accounts`);
    expect(back.status).toBeLessThan(500);
  }
  const { accounts } = (
    await person.call('GET', '/api/me/v1/connected-accounts/accounts')
  ).json() as { accounts: unknown[] };
  expect(accounts).toHaveLength(1);
});
