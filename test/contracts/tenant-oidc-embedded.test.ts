import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { generateSync } from 'otplib';
import { startTenant, type Tenant } from '../../src/tenant/index.ts';
import { createAuthenticator } from '../helpers/authenticator.ts';
import {
  claimsOf,
  createApplication,
  type Application,
  type TokenAnswer,
} from '../helpers/tenant-application.ts';

const realm = 'http://auth0.com/oauth/grant-type/password-realm';
const otpGrant = 'http://auth0.com/oauth/grant-type/mfa-otp';
const oobGrant = 'http://auth0.com/oauth/grant-type/mfa-oob';
const recoveryGrant = 'http://auth0.com/oauth/grant-type/mfa-recovery-code';
const webauthnGrant = 'urn:okta:params:oauth:grant-type:webauthn';

let tenant: Tenant;
let app: Application;

beforeAll(async () => {
  const grant_types = [
    'authorization_code',
    'refresh_token',
    'client_credentials',
    'password',
    realm,
    otpGrant,
    oobGrant,
    recoveryGrant,
    webauthnGrant,
  ];
  app = createApplication({ grant_types });
  const plain = createApplication({ client_id: 'plain' }).client;
  tenant = await startTenant({ clients: [app.client, plain], limits: { enforced: false } });
  app.use(tenant);
});

afterEach(() => {
  tenant.reset();
});

afterAll(async () => {
  await tenant.close();
});

const audience = (): string => `${tenant.url}/me/`;
const passwordLogin = async (
  members: Record<string, string> = {},
  headers: Record<string, string> = {},
): Promise<TokenAnswer> => {
  const { email: username, password } = tenant.demoUser;
  const all = {
    grant_type: 'password',
    username,
    password,
    audience: audience(),
    scope: 'openid offline_access read:me:factors',
    ...members,
  };
  return app.token(all, { headers });
};
const api = async (
  path: string,
  body?: unknown,
  token?: string,
  method = body === undefined ? 'GET' : 'POST',
) => {
  const headers = {
    'content-type': 'application/json',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  const origin = path.startsWith('/passkey')
    ? `http://localhost:${new URL(tenant.url).port}`
    : tenant.url;
  const response = await fetch(`${origin}${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    body: (text === '' ? undefined : JSON.parse(text)) as Record<string, unknown>,
  };
};
const credentials = { client_id: 'app', client_secret: 'app-secret' };

describe('the password grants', () => {
  test('e-mail and password give tokens for the API, without a session id, and the refresh token works', async () => {
    const tokens = await passwordLogin();
    expect(tokens).toMatchObject({
      status: 200,
      token_type: 'Bearer',
      scope: 'openid offline_access read:me:factors',
    });
    expect(claimsOf(tokens.access_token)).toMatchObject({ gty: 'password', azp: 'app' });
    expect(claimsOf(tokens.id_token)).not.toHaveProperty('sid');
    expect(await app.refresh(tokens.refresh_token)).toMatchObject({ status: 200 });
  });

  test('without a scope all scopes of the API are issued; the realm names the directory', async () => {
    const { email: username, password } = tenant.demoUser;
    const tokens = await app.token(
      {
        grant_type: realm,
        realm: 'Username-Password-Authentication',
        username,
        password,
        audience: audience(),
      },
      { json: true },
    );
    expect(tokens.scope?.split(' ')).toContain('delete:me:authentication_methods');
    expect(claimsOf(tokens.access_token)).toMatchObject({ gty: 'password-realm' });
    expect(
      await app.token({ grant_type: realm, realm: 'nowhere', username, password }),
    ).toMatchObject({ status: 403 });
  });

  test('a wrong password answers 403 invalid_grant, or invalid_user_password where the switch says so', async () => {
    const text = 'Wrong email or password.';
    expect(await passwordLogin({ password: 'no' })).toMatchObject({
      status: 403,
      error: 'invalid_grant',
      error_description: text,
    });
    tenant.configure({ switches: { wrongPasswordError: 'invalid_user_password' } });
    expect(await passwordLogin({ password: 'no' })).toMatchObject({
      status: 403,
      error: 'invalid_user_password',
      error_description: text,
    });
    expect(await passwordLogin({ username: 'nobody@example.com' })).toMatchObject({ status: 403 });
  });

  test('ten wrong passwords from one address close the account to that address, and to no other', async () => {
    tenant.configure({ limits: { enforced: true } });
    const from = (address: string) => ({ 'auth0-forwarded-for': address });
    for (let attempt = 0; attempt < 10; attempt += 1)
      await passwordLogin({ password: 'no' }, from('192.0.2.1'));
    expect(await passwordLogin({}, from('192.0.2.1'))).toMatchObject({
      status: 429,
      error: 'too_many_attempts',
    });
    expect(await passwordLogin({}, from('192.0.2.2'))).toMatchObject({ status: 200 });
  });

  test('an application without the grant is told so', async () => {
    const answer = await app.token({
      grant_type: 'password',
      client_id: 'plain',
      username: 'a',
      password: 'b',
    });
    expect(answer).toMatchObject({ status: 403, error: 'unauthorized_client' });
  });
});

test('a DPoP proof binds the tokens of an embedded login to its key; the same proof again is refused', async () => {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const jwk = await exportJWK(publicKey);
  const proof = await new SignJWT({ htm: 'POST', htu: `${tenant.url}/oauth/token` })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
    .setIssuedAt()
    .setJti('the-proof')
    .sign(privateKey);
  const tokens = await passwordLogin({}, { dpop: proof });
  expect(tokens).toMatchObject({ status: 200, token_type: 'DPoP' });
  expect(claimsOf(tokens.access_token)).toMatchObject({
    cnf: { jkt: await calculateJwkThumbprint(jwk) },
  });
  expect(await passwordLogin({}, { dpop: proof })).toMatchObject({
    status: 400,
    error: 'invalid_dpop_proof',
  });
});

describe('MFA continuation', () => {
  const demanded = async (): Promise<TokenAnswer & { mfa_token: string }> => {
    tenant.configure({ mfa: { always: true } });
    const answer = await passwordLogin();
    expect(answer).toMatchObject({
      status: 403,
      error: 'mfa_required',
      error_description: 'Multifactor authentication required',
    });
    return { ...answer, mfa_token: answer.mfa_token ?? '' };
  };
  const otp = (): string => generateSync({ secret: tenant.demoUser.totpSecret });

  test('mfa_required, then a one-time code, gives the tokens the login asked for', async () => {
    const { mfa_token, mfa_requirements } = await demanded();
    expect(mfa_requirements).toEqual({ challenge: [{ type: 'otp' }] });
    const list = await api('/mfa/authenticators', undefined, mfa_token);
    expect(list.body).toMatchObject([{ authenticator_type: 'otp', active: true }]);
    expect(
      (await api('/mfa/challenge', { ...credentials, mfa_token, challenge_type: 'otp' })).body,
    ).toEqual({ challenge_type: 'otp' });
    const tokens = await app.token({ grant_type: otpGrant, mfa_token, otp: otp() });
    expect(tokens).toMatchObject({ status: 200, scope: 'openid offline_access read:me:factors' });
    expect(claimsOf(tokens.id_token)).not.toHaveProperty('amr');
    expect(await app.token({ grant_type: otpGrant, mfa_token, otp: otp() })).toMatchObject({
      status: 403,
      error_description: 'Malformed mfa_token',
    });
  });

  test('a wrong code is refused and may be tried again; an old mfa_token has expired', async () => {
    const { mfa_token } = await demanded();
    expect(await app.token({ grant_type: otpGrant, mfa_token, otp: '000000' })).toMatchObject({
      status: 403,
      error_description: 'Invalid otp_code.',
    });
    tenant.configure({ clockOffsetSeconds: 601 });
    expect(await app.token({ grant_type: otpGrant, mfa_token, otp: otp() })).toMatchObject({
      error: 'expired_token',
      error_description: 'mfa_token is expired',
    });
  });

  test('a user without a factor enrols an authenticator app on the way, once', async () => {
    tenant.users.add({ email: 'new@example.com', password: 'pw', email_verified: false });
    tenant.configure({ mfa: { always: true } });
    const { mfa_token = '', mfa_requirements } = await passwordLogin({
      username: 'new@example.com',
      password: 'pw',
    });
    expect(mfa_requirements).toMatchObject({ enroll: expect.arrayContaining([{ type: 'otp' }]) });
    expect(
      (await api('/mfa/challenge', { ...credentials, mfa_token, challenge_type: 'otp oob' })).body[
        'error'
      ],
    ).toBe('association_required');
    const made = await api('/mfa/associate', { authenticator_types: ['otp'] }, mfa_token);
    expect(made.body).toMatchObject({
      authenticator_type: 'otp',
      barcode_uri: expect.stringMatching(/^otpauth:\/\/totp\//),
    });
    const secret = String(made.body['secret']);
    expect(
      await app.token({ grant_type: otpGrant, mfa_token, otp: generateSync({ secret }) }),
    ).toMatchObject({ status: 200 });
    const again = await passwordLogin({ username: 'new@example.com', password: 'pw' });
    expect(
      (await api('/mfa/associate', { authenticator_types: ['otp'] }, again.mfa_token)).body,
    ).toMatchObject({
      error_description: 'User is already enrolled.',
    });
  });

  test('a code by text message, a push and a recovery code each finish a login', async () => {
    const methods = [
      { type: 'phone' as const, phone_number: '+15550001111' },
      { type: 'push-notification' as const },
      { type: 'recovery-code' as const },
    ];
    const [user] = tenant.users.add({ email: 'many@example.com', password: 'pw', methods });
    tenant.configure({ mfa: { always: true } });
    const begin = async (): Promise<string> =>
      (await passwordLogin({ username: 'many@example.com', password: 'pw' })).mfa_token ?? '';
    const id = (type: string): string =>
      user?.methods.find((method) => method.type === type)?.id ?? '';

    const sms = await begin();
    const asked = await api('/mfa/challenge', {
      ...credentials,
      mfa_token: sms,
      challenge_type: 'oob',
      authenticator_id: id('phone'),
    });
    expect(asked.body).toMatchObject({ challenge_type: 'oob', binding_method: 'prompt' });
    const { code } = tenant.messages('+15550001111').at(-1) ?? {};
    const exchange = { grant_type: oobGrant, mfa_token: sms, oob_code: asked.body['oob_code'] };
    expect(await app.token({ ...exchange, binding_code: '1' })).toMatchObject({
      error_description: 'Invalid binding_code.',
    });
    expect(await app.token({ ...exchange, binding_code: code })).toMatchObject({ status: 200 });

    const push = await begin();
    const pushed = await api('/mfa/challenge', {
      ...credentials,
      mfa_token: push,
      challenge_type: 'oob',
      authenticator_id: id('push-notification'),
    });
    const poll = { grant_type: oobGrant, mfa_token: push, oob_code: pushed.body['oob_code'] };
    expect(await app.token(poll)).toMatchObject({ status: 400, error: 'authorization_pending' });
    await api('/_control/push', { email: 'many@example.com' });
    expect(await app.token(poll)).toMatchObject({ status: 200 });

    const recovery = {
      grant_type: recoveryGrant,
      mfa_token: await begin(),
      recovery_code: user?.recoveryCode,
    };
    const tokens = await app.token(recovery);
    expect(tokens).toMatchObject({
      status: 200,
      recovery_code: expect.stringMatching(/^[A-Z0-9]{24}$/),
    });
    expect(await app.token({ ...recovery, mfa_token: await begin() })).toMatchObject({
      status: 403,
    });
  });
});

describe('native passkeys', () => {
  const withDomain = (): void => {
    tenant.configure({ custom_domains: [`localhost:${new URL(tenant.url).port}`] });
  };
  const finish = async (auth_session: unknown, authn_response: unknown) =>
    (await fetch(`http://localhost:${new URL(tenant.url).port}/oauth/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        ...credentials,
        grant_type: webauthnGrant,
        auth_session,
        authn_response,
        scope: 'openid profile email',
      }),
    }).then(async (response) => response.json())) as TokenAnswer;

  test('are refused on the canonical domain', async () => {
    expect((await api('/passkey/challenge', credentials)).body).toMatchObject({
      error: 'passkeys_not_enabled',
    });
  });

  test('a new user registers, and signs in again with the passkey; an auth_session is good once', async () => {
    withDomain();
    const device = createAuthenticator();
    const page = 'http://localhost:3000';
    const begun = await api('/passkey/register', {
      ...credentials,
      user_profile: { email: 'key@example.com', name: 'Key' },
    });
    const creation = begun.body['authn_params_public_key'] as Parameters<typeof device.create>[0];
    expect(creation.rp.id).toBe('localhost');
    const tokens = await finish(begun.body['auth_session'], device.create(creation, page));
    expect(claimsOf(tokens.id_token)).toMatchObject({ email: 'key@example.com', name: 'Key' });

    const asked = await api('/passkey/challenge', credentials);
    const request = asked.body['authn_params_public_key'] as Parameters<typeof device.get>[0];
    expect(Object.keys(request)).toEqual(['challenge', 'timeout', 'rpId', 'userVerification']);
    const proof = device.get(request, page);
    const again = await finish(asked.body['auth_session'], proof);
    expect(claimsOf(again.id_token)['sub']).toBe(claimsOf(tokens.id_token)['sub']);
    expect(await finish(asked.body['auth_session'], proof)).toMatchObject({
      error: 'invalid_grant',
    });
  });

  test('a proof made on another site is refused', async () => {
    withDomain();
    const device = createAuthenticator();
    const begun = await api('/passkey/register', {
      ...credentials,
      user_profile: { email: 'key2@example.com' },
    });
    const creation = begun.body['authn_params_public_key'] as Parameters<typeof device.create>[0];
    expect(
      await finish(begun.body['auth_session'], device.create(creation, 'https://evil.example')),
    ).toMatchObject({
      error: 'invalid_grant',
    });
  });
});

test('client credentials never reach the My Account API, and the answer says why', async () => {
  const answer = await app.token({
    grant_type: 'client_credentials',
    audience: audience(),
    scope: 'read:me:factors',
  });
  expect(answer).toMatchObject({
    status: 403,
    error: 'access_denied',
    error_description: expect.stringContaining('client-grant'),
  });
});
