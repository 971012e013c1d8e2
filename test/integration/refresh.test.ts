import { afterEach, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TenantOptions } from '../../src/tenant/index.ts';
import { startWorld, type World } from '../helpers/world.ts';

let world: World;
afterEach(async () => world.close());

const methods = '/api/me/v1/authentication-methods';
// The limits are not what these tests are about, and 20 calls at once would be over them; a kept answer would need no token.
const roomy = {
  RATE_LIMIT_USER_READ: '10000',
  RATE_LIMIT_USER_FACTORS_READ: '10000',
  RATE_LIMIT_TENANT_READ: '10000',
  RATE_LIMIT_TENANT_FACTORS_READ: '10000',
  READ_KEEP_SECONDS: '0',
};
const short = (seconds: number, more: TenantOptions = {}): TenantOptions => ({
  tokens: { accessTokenSeconds: seconds },
  limits: { enforced: false },
  ...more,
});
const refreshes = () =>
  world.tenant
    .requests()
    .filter(
      ({ path, parameters }) =>
        path === '/oauth/token' && parameters?.['grant_type'] === 'refresh_token',
    );

describe('an expired access token', () => {
  test('is refreshed once for 20 simultaneous requests on two gateways, and the session lives on', async () => {
    // Three seconds, since a token's end is a whole second: one of a single second may be over at once.
    world = await startWorld({ gateways: 2, settings: roomy, tenant: short(3) });
    const person = world.person();
    await person.signIn();
    await sleep(3_100);
    // The new one lasts, however slow the machine is.
    world.tenant.configure({ tokens: { accessTokenSeconds: 600 } });
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () => person.call('GET', methods)),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
    expect(refreshes()).toHaveLength(1);
    world.tenant.faults.add({ path: '/me/', times: 1, status: 401, body: {} });
    expect((await person.call('GET', methods)).status).toBe(200);
    expect(refreshes()).toHaveLength(2);
  });

  test('is refreshed without changing the cookie', async () => {
    world = await startWorld({ settings: roomy, tenant: short(1) });
    const person = world.person();
    await person.signIn();
    const before = await person.jar.getCookieString(world.origin);
    await sleep(1_100);
    const answer = await person.call('GET', methods);
    expect(answer.status).toBe(200);
    expect(answer.headers.getSetCookie()).toEqual([]);
    expect(await person.jar.getCookieString(world.origin)).toBe(before);
  });

  test('is refreshed to the end when the browser leaves in the middle, and the new token is kept', async () => {
    world = await startWorld({ settings: roomy, tenant: short(3) });
    const person = world.person();
    await person.signIn();
    await sleep(3_100);
    world.tenant.faults.add({ path: '/oauth/token', times: 1, delayMs: 400 });
    const leaving = new AbortController();
    const cookie = await person.jar.getCookieString(world.origin);
    const left = fetch(world.origin + methods, {
      headers: { cookie, 'x-csrf': '1' },
      signal: leaving.signal,
    }).catch(() => 'left');
    await sleep(150);
    leaving.abort();
    expect(await left).toBe('left');
    await sleep(700);
    expect((await person.call('GET', methods)).status).toBe(200);
    expect(refreshes()).toHaveLength(1);
  });
});

describe('a refresh that fails', () => {
  test('because the refresh token is dead ends the session with 401', async () => {
    world = await startWorld({ settings: roomy, tenant: short(1) });
    const person = world.person();
    await person.signIn();
    world.tenant.faults.add({
      path: '/oauth/token',
      times: 1,
      status: 403,
      body: { error: 'invalid_grant', error_description: 'Unknown or invalid refresh token.' },
    });
    await sleep(1_100);
    const answer = await person.call('GET', methods);
    expect(answer.status).toBe(401);
    expect(answer.json()).toMatchObject({ code: 'login_required' });
    expect((await person.call('GET', '/auth/session')).json()).toEqual({ authenticated: false });
  });

  test.each([
    ['an error of the tenant', { status: 503, body: { error: 'temporarily_unavailable' } }],
    ['a connection that breaks', { reset: 'before-headers' as const }],
    ['silence', { delayMs: 1_500 }],
  ])('because of %s keeps the session, which works again afterwards', async (_name, fault) => {
    world = await startWorld({
      settings: { ...roomy, TOKEN_EXCHANGE_TIMEOUT: '1000' },
      tenant: short(1),
    });
    const person = world.person();
    await person.signIn();
    await sleep(1_100);
    world.tenant.faults.add({ path: '/oauth/token', times: 1, ...fault });
    const during = await person.call('GET', methods);
    expect(during.status).toBe(503);
    expect(Number(during.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect((await person.call('GET', '/auth/session')).json()).toMatchObject({
      authenticated: true,
    });
    await sleep(1_100);
    expect((await person.call('GET', methods)).status).toBe(200);
  });

  test.each([
    [
      'mfa_required',
      {
        error: 'mfa_required',
        error_description: 'Multifactor authentication required',
        mfa_token: 'Fe26.canary-mfa-token',
      },
    ],
    ['unmet_authentication_requirements', { error: 'unmet_authentication_requirements' }],
  ])('because of %s asks to step up, and the session lives on', async (reason, body) => {
    world = await startWorld({ settings: roomy, tenant: short(1) });
    const person = world.person();
    await person.signIn();
    await sleep(1_100);
    world.tenant.faults.add({ path: '/oauth/token', times: 1, status: 403, body });
    const answer = await person.call('GET', methods);
    expect(answer.status).toBe(403);
    expect(answer.json()).toMatchObject({ code: 'step_up_required', reason });
    expect(answer.text).not.toContain('canary');
    const { stepUpUrl } = answer.json() as { stepUpUrl: string };
    const back = await person.answerForms(await person.visit(`${stepUpUrl}&returnTo=/here`));
    expect(back.url).toBe(`${world.origin}/here`);
    expect((await person.call('GET', methods)).status).toBe(200);
  });

  test('while the old token is still good disturbs nobody', async () => {
    world = await startWorld({ settings: roomy, tenant: short(30) });
    const person = world.person();
    await person.signIn();
    await sleep(100);
    world.tenant.faults.add({ path: '/oauth/token', times: 50, status: 500, body: {} });
    expect((await person.call('GET', methods)).status).toBe(200);
  });
});

test('a session without a refresh token ends with its access token, and says so', async () => {
  world = await startWorld({
    settings: { ...roomy, AUTH0_SCOPE: 'openid profile read:me:authentication_methods' },
    tenant: short(1),
  });
  const person = world.person();
  await person.signIn();
  expect((await person.call('GET', methods)).status).toBe(200);
  await sleep(1_100);
  expect((await person.call('GET', methods)).status).toBe(401);
  expect((await person.call('GET', '/auth/session')).json()).toEqual({ authenticated: false });
});
