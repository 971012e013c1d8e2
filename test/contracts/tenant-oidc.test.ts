import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as client from 'openid-client';
import { startTenant, type Tenant } from '../../src/tenant/index.ts';
import { createBrowser, type Browser } from '../helpers/browser-jar.ts';

const callback = 'http://localhost:3999/callback';
const multiFactor = 'http://schemas.openid.net/pape/policies/2007/06/multi-factor';

let tenant: Tenant;
let config: client.Configuration;

beforeAll(async () => {
  tenant = await startTenant({
    clients: [
      {
        client_id: 'app',
        client_secret: 'app-secret',
        callbacks: [callback],
        allowed_logout_urls: ['http://localhost:3999/'],
      },
    ],
  });
  config = await client.discovery(new URL(tenant.issuer), 'app', 'app-secret', undefined, {
    execute: [client.allowInsecureRequests],
  });
});

afterAll(async () => {
  await tenant.close();
});

const audience = (): string => `${tenant.url}/me/`;

/** The whole of a sign-in, as an application built on openid-client does it. */
async function signIn(browser: Browser, parameters: Record<string, string> = {}) {
  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const nonce = client.randomNonce();
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: callback,
    scope: 'openid profile email offline_access read:me:authentication_methods',
    audience: audience(),
    state,
    nonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...parameters,
  });
  const first = await browser.visit(url, { stopAt: callback });
  const last = await browser.signIn(first, tenant.demoUser, { stopAt: callback });
  const maxAge =
    parameters['max_age'] === undefined ? {} : { maxAge: Number(parameters['max_age']) };
  return client.authorizationCodeGrant(config, last.url, {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
    ...maxAge,
  });
}

const claimsOf = (jwt: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()) as Record<
    string,
    unknown
  >;

describe('openid-client, which this project did not write, with discovery and its own defaults', () => {
  test('signs in through the forms and gets an ID token with a session id and an access token for the API', async () => {
    const tokens = await signIn(createBrowser());
    const claims = tokens.claims();
    expect(claims).toMatchObject({
      email: 'demo@example.com',
      name: 'Demo User',
      sid: expect.any(String),
    });
    expect(claims).not.toHaveProperty('acr');
    expect(claims).not.toHaveProperty('amr');
    expect(claims).not.toHaveProperty('auth_time');
    const access = claimsOf(tokens.access_token);
    expect(access['aud']).toEqual([audience(), `${tenant.url}/userinfo`]);
    expect(access['scope']).toBe(
      'openid profile email offline_access read:me:authentication_methods',
    );
    expect(tokens.scope).toBe(access['scope']);
    expect(tokens.expires_in).toBe(600);
  });

  test('refreshes with rotation, and a token used twice ends its whole family with 403', async () => {
    const tokens = await signIn(createBrowser());
    const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token ?? '');
    expect(refreshed.refresh_token).not.toBe(tokens.refresh_token);
    expect(refreshed.claims()?.sub).toBe(tokens.claims()?.sub);
    const dead = {
      error: 'invalid_grant',
      error_description: 'Unknown or invalid refresh token.',
      status: 403,
    };
    await expect(
      client.refreshTokenGrant(config, tokens.refresh_token ?? ''),
    ).rejects.toMatchObject(dead);
    await expect(
      client.refreshTokenGrant(config, refreshed.refresh_token ?? ''),
    ).rejects.toMatchObject(dead);
  });

  test('reads /userinfo with the access token of the API', async () => {
    const tokens = await signIn(createBrowser());
    const info = await client.fetchUserInfo(
      config,
      tokens.access_token,
      tokens.claims()?.sub ?? '',
    );
    expect(info).toMatchObject({ email: 'demo@example.com', email_verified: true });
  });

  test('steps up with acr_values: the ID token says mfa, and a refresh afterwards does not repeat it', async () => {
    const browser = createBrowser();
    await signIn(browser);
    const tokens = await signIn(browser, { acr_values: multiFactor, max_age: '300' });
    expect(tokens.claims()).toMatchObject({
      acr: multiFactor,
      amr: ['mfa'],
      auth_time: expect.any(Number),
    });
    const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token ?? '');
    expect(refreshed.claims()).not.toHaveProperty('amr');
  });

  test('signs out: the browser comes back and has to sign in again', async () => {
    const browser = createBrowser();
    const tokens = await signIn(browser);
    const url = client.buildEndSessionUrl(config, {
      id_token_hint: tokens.id_token ?? '',
      post_logout_redirect_uri: 'http://localhost:3999/',
      state: 's1',
    });
    const back = await browser.visit(url, { stopAt: 'http://localhost:3999/' });
    expect(back.url.href).toBe('http://localhost:3999/?state=s1');
    const again = await browser.visit(
      client.buildAuthorizationUrl(config, {
        redirect_uri: callback,
        scope: 'openid',
        state: 's2',
      }),
      {
        stopAt: callback,
      },
    );
    expect(again.url.pathname).toBe('/u/login');
  });

  test('revokes its refresh token and can no longer refresh; revoking again still answers 200', async () => {
    const tokens = await signIn(createBrowser());
    await client.tokenRevocation(config, tokens.refresh_token ?? '');
    await expect(
      client.refreshTokenGrant(config, tokens.refresh_token ?? ''),
    ).rejects.toMatchObject({
      error: 'invalid_grant',
      status: 403,
    });
    await client.tokenRevocation(config, tokens.refresh_token ?? '');
  });
});
