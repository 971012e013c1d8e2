import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { exportJWK, generateKeyPair, importJWK, SignJWT, type JWK } from 'jose';
import { createAuth0 } from '../../src/gateway/auth0/client.ts';
import { createLogoutTokens } from '../../src/gateway/auth0/logout-token.ts';
import { startTenant, type Tenant } from '../../src/tenant/index.ts';

const clientId = 'id-tokens';
const clientSecret = 'a-client-secret-that-is-long-enough-for-hs256';
const callback = 'http://localhost/auth/callback';
const now = (): number => Math.floor(Date.now() / 1000);

let tenant: Tenant;
let own: JWK;
let other: JWK;

beforeAll(async () => {
  tenant = await startTenant({
    control: true,
    clients: [{ client_id: clientId, client_secret: clientSecret, callbacks: [callback] }],
  });
  const make = async (): Promise<JWK> =>
    exportJWK((await generateKeyPair('RS256', { extractable: true })).privateKey);
  [own, other] = [await make(), await make()];
  // The tenant's keys are the test's: so it can sign a token that is right but for one thing.
  const jwk = { kty: own.kty, n: own.n, e: own.e, kid: 'own', use: 'sig' };
  tenant.faults.add({
    path: '/.well-known/jwks.json',
    times: 10_000,
    status: 200,
    body: { keys: [jwk] },
  });
});
afterAll(async () => tenant.close());

const auth0 = (idTokenAlgorithms: readonly string[] = ['RS256']) =>
  createAuth0({
    ...{ domain: tenant.url, clientId, clientSecret, callback, idTokenAlgorithms },
    ...{
      signingAlg: 'RS256',
      pushed: 'off',
      requestObjects: false,
      answerTimeoutMs: 10_000,
      exchangeTimeoutMs: 10_000,
    },
  });

type Claims = Record<string, unknown>;
const good = (): Claims => ({
  ...{ iss: tenant.issuer, aud: clientId, sub: 'auth0|1', nonce: 'a-nonce' },
  ...{ iat: now(), exp: now() + 3_600, auth_time: now() },
});
const signed = async (claims: Claims, alg = 'RS256', kid = 'own'): Promise<string> => {
  const key =
    kid === 'secret'
      ? Buffer.from(clientSecret)
      : await importJWK(kid === 'own' ? own : other, alg);
  return new SignJWT(claims).setProtectedHeader({ alg, typ: 'JWT', kid }).sign(key);
};

/** The token endpoint's next answer has this ID token. */
const answer = (idToken: string): void =>
  tenant.faults.add({
    ...{ path: '/oauth/token', times: 1, status: 200 },
    body: {
      access_token: 'opaque',
      token_type: 'Bearer',
      expires_in: 600,
      scope: 'openid',
      refresh_token: 'next',
      id_token: idToken,
    },
  });
const finish = async (idToken: string, algorithms?: readonly string[]): Promise<string> => {
  answer(idToken);
  const url = new URL(
    `${callback}?${new URLSearchParams({ code: 'x', state: 's', iss: tenant.issuer }).toString()}`,
  );
  const expected = { state: 's', nonce: 'a-nonce', verifier: 'v'.repeat(43) };
  return auth0(algorithms)
    .finishLogin(url, expected)
    .then(
      ({ sub }) => sub,
      (failure: unknown) => (failure instanceof Error ? failure.name : 'no error'),
    );
};
const grant = async (idToken: string): Promise<string> => {
  answer(idToken);
  return auth0()
    .grant('http://auth0.com/oauth/grant-type/mfa-otp', {})
    .then(
      ({ sub }) => sub,
      (failure: unknown) => (failure instanceof Error ? failure.name : 'no error'),
    );
};
const refresh = async (idToken: string): Promise<unknown> => {
  answer(idToken);
  const refreshed = await auth0().refresh('old');
  return refreshed.kind === 'renewed'
    ? { sub: refreshed.grant.sub, taken: refreshed.grant.idToken === idToken }
    : { kind: refreshed.kind };
};

const wrong: [string, () => Promise<string>][] = [
  ['HS256 with the client secret', async () => signed(good(), 'HS256', 'secret')],
  ['an algorithm that is not among those taken', async () => signed(good(), 'PS256')],
  ['a key of somebody else under the known name', async () => forged()],
  [
    'a random signature',
    async () =>
      `${(await signed(good())).split('.').slice(0, 2).join('.')}.${Buffer.alloc(256, 7).toString('base64url')}`,
  ],
  ['several audiences and no azp', async () => signed({ ...good(), aud: [clientId, 'another'] })],
  [
    'the azp of another application',
    async () => signed({ ...good(), aud: [clientId, 'another'], azp: 'another' }),
  ],
  ['an iat that lies ahead', async () => signed({ ...good(), iat: now() + 600 })],
  ['an auth_time that lies ahead', async () => signed({ ...good(), auth_time: now() + 600 })],
  ['an auth_time that is no number', async () => signed({ ...good(), auth_time: 'now' })],
  ['an empty subject', async () => signed({ ...good(), sub: '' })],
  ['another issuer', async () => signed({ ...good(), iss: 'https://another.example/' })],
  ['another audience', async () => signed({ ...good(), aud: 'another' })],
  ['its end behind it', async () => signed({ ...good(), exp: now() - 3_600 })],
];
const forged = async (): Promise<string> =>
  new SignJWT(good())
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: 'own' })
    .sign(await importJWK(other, 'RS256'));

describe('an ID token', () => {
  test('that is right is taken: at a sign-in, of any other grant, at a refresh', async () => {
    expect(await finish(await signed(good()))).toBe('auth0|1');
    expect(await grant(await signed(good()))).toBe('auth0|1');
    expect(await refresh(await signed(good()))).toEqual({ sub: 'auth0|1', taken: true });
    expect(
      await finish(await signed({ ...good(), aud: [clientId, 'another'], azp: clientId })),
    ).toBe('auth0|1');
    expect(await finish(await signed({ ...good(), iat: now() + 60, auth_time: now() + 60 }))).toBe(
      'auth0|1',
    );
  });

  test.each(wrong)(
    'with %s is refused at a sign-in and of any other grant',
    async (_what, token) => {
      expect(await finish(await token())).toBe('OAuthError');
      expect(await grant(await token())).toBe('OAuthError');
    },
  );

  test.each(wrong)('with %s is not taken at a refresh, nor is it anybody', async (_what, token) => {
    expect(await refresh(await token())).not.toMatchObject({ sub: 'auth0|1' });
    expect(await refresh(await token())).not.toMatchObject({ taken: true });
  });

  test('of a key that is not known is refused at a sign-in; a refresh goes on without it', async () => {
    expect(await finish(await signed(good(), 'RS256', 'unknown'))).toBe('OAuthError');
    expect(await refresh(await signed(good(), 'RS256', 'unknown'))).toEqual({
      sub: undefined,
      taken: false,
    });
  });

  test('by another algorithm is taken where the setting names it', async () => {
    expect(await finish(await signed(good(), 'PS256'), ['RS256', 'PS256'])).toBe('auth0|1');
  });
});

describe('a logout token', () => {
  test('is held to the same', async () => {
    const told = createLogoutTokens({
      ...{ issuer: tenant.issuer, clientId, timeoutMs: 3_000 },
      metadata: async () => Promise.resolve({ jwks_uri: `${tenant.url}/.well-known/jwks.json` }),
    });
    const events = { 'http://schemas.openid.net/event/backchannel-logout': {} };
    const claims = (): Claims => ({
      ...{ iss: tenant.issuer, aud: clientId, sub: 'auth0|1', events, jti: 'one' },
      ...{ iat: now(), exp: now() + 120 },
    });
    expect(await told(await signed(claims()))).toMatchObject({ sub: 'auth0|1' });
    for (const differing of [
      { aud: [clientId, 'another'] },
      { aud: [clientId, 'another'], azp: 'another' },
      { iat: now() + 600, exp: now() + 700 },
      { sub: '' },
    ])
      await expect(told(await signed({ ...claims(), ...differing }))).rejects.toMatchObject({
        code: 'invalid_request',
      });
  });
});
