import { createHash, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  calculateJwkThumbprint,
  createRemoteJWKSet,
  exportJWK,
  generateKeyPair,
  jwtVerify,
  SignJWT,
  type CryptoKey,
  type JWK,
} from 'jose';
import { startTenant, type Tenant } from '../../src/tenant/index.ts';
import { createBrowser } from '../helpers/browser-jar.ts';
import {
  callback,
  claimsOf,
  createApplication,
  type Application,
} from '../helpers/tenant-application.ts';

let tenant: Tenant;
let jwtClient: Application;
let signing: { privateKey: CryptoKey; publicKey: CryptoKey };
const app = createApplication();
const publicApp = createApplication({ client_id: 'public', token_endpoint_auth_method: 'none' });
Reflect.deleteProperty(publicApp.client, 'client_secret');

const received: { body: string; sub: boolean }[] = [];
let listening: ReturnType<typeof createServer>;

beforeAll(async () => {
  listening = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      received.push({ body, sub: request.url === '/sub' });
      response.end();
    });
  });
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const hear = `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
  signing = await generateKeyPair('RS256', { extractable: true });
  const jwk = { ...(await exportJWK(signing.publicKey)), alg: 'RS256', use: 'sig', kid: 'one' };
  jwtClient = createApplication({
    client_id: 'jwt',
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [jwk] },
  });
  Reflect.deleteProperty(jwtClient.client, 'client_secret');
  const clients = [
    { ...app.client, backchannel_logout_uri: `${hear}/session` },
    {
      ...publicApp.client,
      backchannel_logout_uri: `${hear}/sub`,
      backchannel_logout_form: 'sub' as const,
    },
    jwtClient.client,
  ];
  tenant = await startTenant({ clients });
  for (const each of [app, publicApp, jwtClient]) each.use(tenant);
});
beforeEach(() => {
  received.length = 0;
});
afterAll(async () => {
  await tenant.close();
  listening.close();
});

const assertion = async (
  claims: Record<string, unknown> = {},
  key: CryptoKey = signing.privateKey,
) => {
  const now = Math.floor(Date.now() / 1000);
  const usual = {
    iss: 'jwt',
    sub: 'jwt',
    aud: `${tenant.url}/`,
    jti: randomUUID(),
    iat: now,
    exp: now + 60,
  };
  const client_assertion = await new SignJWT({ ...usual, ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: 'one' })
    .sign(key);
  return {
    client_assertion,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  };
};

async function codeFor(application: Application, parameters: Record<string, string> = {}) {
  const browser = createBrowser();
  const page = await browser.signIn(
    await application.authorize({ code_challenge: challenge, ...parameters }, browser),
    tenant.demoUser,
    {
      stopAt: callback,
    },
  );
  return {
    grant_type: 'authorization_code',
    code: page.url.searchParams.get('code') ?? '',
    redirect_uri: callback,
    code_verifier: verifier,
  };
}
const verifier = 'v'.repeat(43);
const challenge = createHash('sha256').update(verifier).digest('base64url');

describe('private_key_jwt', () => {
  test('an assertion for the tenant, with its slash, opens the token endpoint', async () => {
    const answer = await jwtClient.token({ ...(await codeFor(jwtClient)), ...(await assertion()) });
    expect(answer).toMatchObject({ status: 200, token_type: 'Bearer' });
  });

  test('an assertion is good once', async () => {
    const once = await assertion();
    expect((await jwtClient.token({ ...(await codeFor(jwtClient)), ...once })).status).toBe(200);
    expect(await jwtClient.token({ ...(await codeFor(jwtClient)), ...once })).toMatchObject({
      status: 401,
      error: 'invalid_client',
    });
  });

  test.each([
    ['for another audience', { aud: 'https://else.example/' }, 401],
    ['that has run out', { exp: Math.floor(Date.now() / 1000) - 60 }, 401],
    ['in another client’s name', { sub: 'app' }, 400],
  ])('an assertion %s is refused', async (_, claims, status) => {
    expect(
      (await jwtClient.token({ ...(await codeFor(jwtClient)), ...(await assertion(claims)) }))
        .status,
    ).toBe(status);
  });

  test('an assertion by another key is refused', async () => {
    const other = await generateKeyPair('RS256');
    expect(
      (
        await jwtClient.token({
          ...(await codeFor(jwtClient)),
          ...(await assertion({}, other.privateKey)),
        })
      ).status,
    ).toBe(401);
  });
});

describe('a signed request object', () => {
  const request = async (claims: Record<string, unknown>) =>
    new SignJWT({
      iss: 'jwt',
      aud: `${tenant.url}/`,
      client_id: 'jwt',
      response_type: 'code',
      redirect_uri: callback,
      scope: 'openid',
      state: 'signed',
      code_challenge: challenge,
      code_challenge_method: 'S256',
      ...claims,
    })
      .setProtectedHeader({ alg: 'RS256', kid: 'one', typ: 'oauth-authz-req+jwt' })
      .setIssuedAt()
      .setExpirationTime('1m')
      .sign(signing.privateKey);
  const visit = async (jwt: string) => {
    const browser = createBrowser();
    const url = new URL(
      `${tenant.url}/authorize?${new URLSearchParams({ client_id: 'jwt', request: jwt }).toString()}`,
    );
    return browser.signIn(await browser.visit(url, { stopAt: callback }), tenant.demoUser, {
      stopAt: callback,
    });
  };

  test('carries the whole authorization request', async () => {
    expect((await visit(await request({}))).url.searchParams.get('state')).toBe('signed');
  });

  test('for another tenant is refused', async () => {
    const page = await visit(await request({ aud: 'https://else.example/' })).catch(
      () => undefined,
    );
    expect(page?.url.searchParams.get('code') ?? null).toBeNull();
  });
});

describe('DPoP at the token endpoint', () => {
  let key: CryptoKey;
  let jwk: JWK;
  beforeAll(async () => {
    const pair = await generateKeyPair('ES256');
    key = pair.privateKey;
    jwk = await exportJWK(pair.publicKey);
  });
  const proof = async (method: string, htu: string, claims: Record<string, unknown> = {}) =>
    new SignJWT({ htm: method, htu, jti: randomUUID(), ...claims })
      .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk })
      .setIssuedAt()
      .sign(key);

  test('a confidential client gets a bound token at once, and /me takes it with a proof only', async () => {
    const code = await codeFor(app);
    const answer = await app.token(code, {
      headers: { dpop: await proof('POST', `${tenant.url}/oauth/token`) },
    });
    expect(answer).toMatchObject({ status: 200, token_type: 'DPoP' });
    expect(claimsOf(answer.access_token)['cnf']).toEqual({
      jkt: await calculateJwkThumbprint(jwk),
    });
    const url = `${tenant.url}/me/v1/authentication-methods`;
    const ath = createHash('sha256').update(answer.access_token).digest('base64url');
    const call = async (headers: Record<string, string>) => (await fetch(url, { headers })).status;
    expect(
      await call({
        authorization: `DPoP ${answer.access_token}`,
        dpop: await proof('GET', url, { ath }),
      }),
    ).toBe(200);
    expect(await call({ authorization: `Bearer ${answer.access_token}` })).toBe(401);
  });

  test('a public client is asked for a nonce first; its refresh token is bound to the key', async () => {
    const code = await codeFor(publicApp);
    const send = async (members: Record<string, unknown>, nonce?: string) =>
      publicApp.token(members, {
        headers: {
          dpop: await proof(
            'POST',
            `${tenant.url}/oauth/token`,
            nonce === undefined ? {} : { nonce },
          ),
        },
      });
    const asked = await send(code);
    expect(asked).toMatchObject({
      status: 400,
      error: 'use_dpop_nonce',
      error_description: 'Authorization server requires nonce in DPoP proof',
    });
    const nonce = asked.headers.get('dpop-nonce') ?? '';
    const answer = await send(code, nonce);
    expect(answer.status).toBe(200);
    expect((await publicApp.refresh(answer.refresh_token)).status).not.toBe(200);
    const again = await send(await codeFor(publicApp), nonce);
    expect(
      (await send({ grant_type: 'refresh_token', refresh_token: again.refresh_token }, nonce))
        .status,
    ).toBe(200);
  });
});

describe('canonical and custom domain', () => {
  test('each has its own issuer and audience; a token of one is refused at the other', async () => {
    const { port } = new URL(tenant.url);
    tenant.configure({ custom_domains: [`localhost:${port}`] });
    const custom = `http://localhost:${port}`;
    const { access_token } = await app.signIn();
    const at = async (origin: string) =>
      (
        await fetch(`${origin}/me/v1/authentication-methods`, {
          headers: { authorization: `Bearer ${access_token}` },
        })
      ).status;
    expect([await at(tenant.url), await at(custom)]).toEqual([200, 401]);
    const document = (await (
      await fetch(`${custom}/.well-known/openid-configuration`)
    ).json()) as Record<string, string>;
    expect([document['issuer'], document['token_endpoint']]).toEqual([
      `${custom}/`,
      `${custom}/oauth/token`,
    ]);
    tenant.configure({ custom_domains: [] });
  });
});

describe('back-channel logout', () => {
  const told = async () => {
    for (let tries = 0; received.length === 0 && tries < 50; tries += 1)
      await new Promise((resolve) => setTimeout(resolve, 20));
    const keys = createRemoteJWKSet(new URL(`${tenant.url}/.well-known/jwks.json`));
    return Promise.all(
      received.map(async ({ body, sub }) => ({
        sub,
        ...(await jwtVerify(new URLSearchParams(body).get('logout_token') ?? '', keys)),
      })),
    );
  };

  test('a signing-out tells the application which session of whom ended', async () => {
    const browser = createBrowser();
    const { id_token } = await app.signIn({}, { browser });
    await browser.visit(new URL(`${tenant.url}/oidc/logout?id_token_hint=${id_token ?? ''}`), {});
    const [token] = await told();
    expect(token?.protectedHeader).toMatchObject({ alg: 'RS256', typ: 'JWT' });
    expect(token?.payload).toMatchObject({
      iss: `${tenant.url}/`,
      aud: 'app',
      sub: claimsOf(id_token)['sub'],
      sid: claimsOf(id_token)['sid'],
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
      trace_id: expect.anything(),
    });
    expect((token?.payload.exp ?? 0) - (token?.payload.iat ?? 0)).toBe(120);
    expect(token?.payload).not.toHaveProperty('nonce');
  });

  test('an application that wants the user alone is told no session', async () => {
    const { id_token } = await publicApp.signIn();
    await fetch(`${tenant.url}/_control/logout`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: tenant.demoUser.email, initiator: 'session-revoked' }),
    });
    const token = (await told()).find(({ sub }) => sub);
    expect(token?.payload.sub).toBe(claimsOf(id_token)['sub']);
    expect(token?.payload).not.toHaveProperty('sid');
  });
});
