import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { startTenant, type Tenant } from '../../src/tenant/index.ts';
import { createApplication } from '../helpers/tenant-application.ts';

const otpGrant = 'http://auth0.com/oauth/grant-type/mfa-oob';
const app = createApplication({
  grant_types: ['authorization_code', 'refresh_token', 'password', otpGrant],
});

let tenant: Tenant;
beforeAll(async () => {
  tenant = await startTenant({ clients: [app.client], plan: 'free' });
  app.use(tenant);
});
afterEach(() => {
  tenant.reset();
});
afterAll(async () => {
  await tenant.close();
});

const credentials = { client_id: 'app', client_secret: 'app-secret' };
const post = async (path: string, body: Record<string, unknown>, headers = {}) =>
  fetch(`${tenant.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

test('the token endpoint takes the plan’s requests per second, says what is left, and refuses the next with the tenant’s 429', async () => {
  const burst = () =>
    Promise.all(Array.from({ length: 40 }, async () => app.refresh('no-such-token')));
  const answers = await burst();
  // 30 at once, and what refills while they are asked for: on a machine that takes more than a third of a second for the ten beyond, more are asked.
  for (let more = 0; more < 50 && !answers.some(({ status }) => status === 429); more += 1)
    answers.push(...(await burst()));
  const refused = answers.filter(({ status }) => status === 429);
  expect(answers.length - refused.length).toBeGreaterThanOrEqual(30);
  expect(refused.length).toBeGreaterThan(0);
  const [first] = refused;
  expect(first).toMatchObject({
    error: 'too_many_requests',
    error_description: expect.stringContaining('X-RateLimit-Limit'),
  });
  const header = (name: string): string | null | undefined => first?.headers.get(name);
  expect([
    header('x-ratelimit-limit'),
    header('x-ratelimit-remaining'),
    header('retry-after'),
  ]).toEqual(['30', '0', '1']);
  expect(header('x-auth0-error-kind')).toBe('global-rate-limit');
  expect(Number(header('x-ratelimit-reset'))).toBeGreaterThanOrEqual(Math.floor(Date.now() / 1000));
});

test('/userinfo takes ten at once of one user, then five a minute', async () => {
  const { access_token: token } = await app.signIn({ scope: 'openid' });
  const ask = async () =>
    (await fetch(`${tenant.url}/userinfo`, { headers: { authorization: `Bearer ${token}` } }))
      .status;
  const statuses = [];
  for (let count = 0; count < 11; count += 1) statuses.push(await ask());
  expect(statuses).toEqual([...Array<number>(10).fill(200), 429]);
  tenant.configure({ clockOffsetSeconds: 60 });
  expect(await ask()).toBe(200);
});

test('codes by text message: ten, then one an hour', async () => {
  const methods = [{ type: 'phone' as const, phone_number: '+15550002222' }];
  tenant.users.add({ email: 'phone@example.com', password: 'pw', methods });
  tenant.configure({ mfa: { always: true } });
  const { mfa_token } = await app.token({
    grant_type: 'password',
    username: 'phone@example.com',
    password: 'pw',
    audience: `${tenant.url}/me/`,
  });
  const ask = async () =>
    (await post('/mfa/challenge', { ...credentials, mfa_token, challenge_type: 'oob' })).status;
  const statuses = [];
  for (let count = 0; count < 11; count += 1) statuses.push(await ask());
  expect(statuses).toEqual([...Array<number>(10).fill(200), 429]);
});

test('an exchange of a push is polled twelve times a minute, not more', async () => {
  tenant.users.add({
    email: 'push@example.com',
    password: 'pw',
    methods: [{ type: 'push-notification' }],
  });
  tenant.configure({ mfa: { always: true } });
  const { mfa_token } = await app.token({
    grant_type: 'password',
    username: 'push@example.com',
    password: 'pw',
    audience: `${tenant.url}/me/`,
  });
  const { oob_code } = (await (
    await post('/mfa/challenge', { ...credentials, mfa_token, challenge_type: 'oob' })
  ).json()) as Record<string, unknown>;
  const errors = [];
  for (let count = 0; count < 13; count += 1)
    errors.push((await app.token({ grant_type: otpGrant, mfa_token, oob_code })).error);
  expect(errors).toEqual([...Array<string>(12).fill('authorization_pending'), 'slow_down']);
});

test('limits that are not enforced refuse nothing', async () => {
  tenant.configure({ limits: { enforced: false } });
  const answers = await Promise.all(
    Array.from({ length: 60 }, async () => app.refresh('no-such-token')),
  );
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([403]));
});

test('what Auth0 answers where its sources disagree: each switch of the token endpoint in both positions', async () => {
  const code = async () =>
    app.token({
      grant_type: 'authorization_code',
      code: 'no-such-code',
      redirect_uri: 'http://localhost:3999/callback',
    });
  const client = async () =>
    app.token({ grant_type: 'refresh_token', refresh_token: 'x', client_secret: 'wrong' });
  const grant = async () => app.token({ grant_type: 'client_credentials', audience: 'x' });
  tenant.configure({ mfa: { always: true } });
  const mfa = async () =>
    app.token({
      grant_type: 'password',
      username: tenant.demoUser.email,
      password: tenant.demoUser.password,
    });
  expect([
    (await code()).status,
    (await client()).error,
    (await grant()).status,
    (await mfa()).status,
  ]).toEqual([403, 'access_denied', 403, 403]);
  tenant.configure({
    switches: {
      badCodeStatus: 400,
      badClientError: 'invalid_client',
      grantNotEnabledStatus: 400,
      mfaRequiredStatus: 401,
    },
  });
  expect([
    (await code()).status,
    (await client()).error,
    (await grant()).status,
    (await mfa()).status,
  ]).toEqual([400, 'invalid_client', 400, 401]);
});
