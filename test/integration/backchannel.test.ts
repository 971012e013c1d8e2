import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT, type JWTPayload } from 'jose';
import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  createLogoutTokens,
  type VerifyLogoutToken,
} from '../../src/gateway/auth0/logout-token.ts';
import { startWorld, type World } from '../helpers/world.ts';
import { until } from '../helpers/until.ts';

const event = 'http://schemas.openid.net/event/backchannel-logout';
const route = '/auth/backchannel-logout';

const post = async (
  world: World,
  body: string,
  type = 'application/x-www-form-urlencoded',
): Promise<Response> =>
  fetch(world.origin + route, { method: 'POST', headers: { 'content-type': type }, body });
describe('a logout at Auth0', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ gateways: 2 });
  });
  afterAll(async () => world.close());

  const control = async (body: object): Promise<Response> =>
    fetch(`${world.tenant.url}/_control/logout`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const authenticated = async (person: ReturnType<World['person']>): Promise<boolean> =>
    ((await person.call('GET', '/auth/session')).json() as { authenticated: boolean })
      .authenticated;

  test('ends the sessions of the user here, on all gateways, and a later sign-in revives none', async () => {
    const [one, two] = [world.person(), world.person()];
    await one.signIn();
    await two.signIn();
    const cookie = await one.jar.getCookieString(world.origin);
    expect((await control({ email: world.user.email })).ok).toBe(true);
    expect(
      await until(async () => !(await authenticated(one)) && !(await authenticated(two))),
    ).toBe(true);
    await two.signIn();
    expect(await authenticated(two)).toBe(true);
    expect((await fetch(`${world.origin}/auth/profile`, { headers: { cookie } })).status).toBe(401);
  });

  test('is told in a form only, with one token, and answers without a cache', async () => {
    expect((await post(world, '{"logout_token":"x"}', 'application/json')).status).toBe(400);
    expect((await post(world, '')).status).toBe(400);
    expect((await post(world, 'logout_token=a&logout_token=b')).status).toBe(400);
    const answer = await post(world, 'logout_token=rubbish');
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([400, 'no-store']);
    expect((await fetch(world.origin + route)).status).toBe(405);
  });
});

describe('a logout token', () => {
  let keys: Awaited<ReturnType<typeof generateKeyPair>>;
  let server: Server;
  let verify: VerifyLogoutToken;
  const issuer = 'https://tenant.example/';
  beforeAll(async () => {
    keys = await generateKeyPair('RS256', { extractable: true });
    const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' };
    server = createServer((_req, res) =>
      res.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [jwk] })),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
    verify = createLogoutTokens({
      issuer,
      clientId: 'client',
      metadata: async () => Promise.resolve({ jwks_uri: uri }),
      timeoutMs: 2_000,
    });
  });
  afterAll(() => void server.close());

  const now = (): number => Math.floor(Date.now() / 1000);
  const claims = (over: JWTPayload = {}): JWTPayload => ({
    iss: issuer,
    aud: 'client',
    sub: 'auth0|1',
    sid: 's1',
    iat: now(),
    exp: now() + 120,
    jti: randomUUID(),
    events: { [event]: {} },
    ...over,
  });
  const signed = async (
    payload: JWTPayload,
    header: object = {},
    key = keys.privateKey,
  ): Promise<string> =>
    new SignJWT(payload)
      .setProtectedHeader({ alg: 'RS256', kid: 'k1', typ: 'JWT', ...header })
      .sign(key);
  const without = (name: string): JWTPayload =>
    Object.fromEntries(Object.entries(claims()).filter(([each]) => each !== name));

  test.each(['JWT', 'logout+jwt'])('of type %s with sub and sid is taken', async (typ) => {
    expect(await verify(await signed(claims(), { typ }))).toMatchObject({
      sub: 'auth0|1',
      sid: 's1',
    });
  });
  test('with the sub alone, or the sid alone, is taken', async () => {
    expect(await verify(await signed(without('sid')))).toMatchObject({
      sub: 'auth0|1',
      sid: undefined,
    });
    expect(await verify(await signed(without('sub')))).toMatchObject({ sub: undefined, sid: 's1' });
  });
  test.each<[string, () => JWTPayload, object?]>([
    ['of another issuer', () => claims({ iss: 'https://other.example/' })],
    ['for another application', () => claims({ aud: 'other' })],
    ['that has expired', () => claims({ iat: now() - 2_000, exp: now() - 1_000 })],
    [
      'from the future',
      () => claims({ iat: now() + 4_000, exp: now() + 4_100, nbf: now() + 4_000 }),
    ],
    ['that lives for a day', () => claims({ exp: now() + 86_400 })],
    ['with a nonce', () => claims({ nonce: 'n' })],
    ['without events', () => without('events')],
    ['with another event', () => claims({ events: { other: {} } })],
    ['with an event that is no object', () => claims({ events: { [event]: 'yes' } })],
    ['without a jti', () => without('jti')],
    ['without iat', () => without('iat')],
    ['without exp', () => without('exp')],
    [
      'naming nobody',
      () =>
        Object.fromEntries(
          Object.entries(claims()).filter(([each]) => each !== 'sub' && each !== 'sid'),
        ),
    ],
    ['of the type of an access token', () => claims(), { typ: 'at+jwt' }],
    ['without a type', () => claims(), { typ: undefined }],
    ['signed with an unknown key', () => claims(), { kid: 'other' }],
  ])('%s is refused', async (...[, make, header]) => {
    await expect(verify(await signed(make(), header))).rejects.toMatchObject({
      code: 'invalid_request',
    });
  });
  test('without a signature, or signed by symmetric or foreign keys, is refused', async () => {
    const foreign = await generateKeyPair('RS256');
    const bad = [
      new UnsecuredJWT(claims()).encode(),
      await new SignJWT(claims())
        .setProtectedHeader({ alg: 'HS256', kid: 'k1', typ: 'JWT' })
        .sign(Buffer.from('k'.repeat(32))),
      await signed(claims(), {}, foreign.privateKey),
    ];
    for (const token of bad)
      await expect(verify(token)).rejects.toMatchObject({ code: 'invalid_request' });
  });
});
