import { afterEach, describe, expect, test } from '@jest/globals';
import { ProblemError } from '../../../src/browser/problem.ts';
import { openTab, startAnswering } from './a-gateway.ts';

let close = (): Promise<void> => Promise.resolve();
afterEach(() => close());

async function given(...answers: Parameters<typeof startAnswering>) {
  const gateway = await startAnswering(...answers);
  close = gateway.close;
  return { ...gateway, ...openTab(gateway.origin) };
}

const ok = { status: 200, body: {} };
const failure = async (call: Promise<unknown>): Promise<ProblemError> => {
  const error: unknown = await call.catch((thrown: unknown) => thrown);
  if (!(error instanceof ProblemError))
    throw new Error('no ProblemError was thrown', { cause: error });
  return error;
};

describe('Each of the operations', () => {
  test('goes to its own method and path, below /api/me', async () => {
    const { seen, load } = await given(...Array.from({ length: 14 }, () => ok));
    const client = load();
    const id = 'totp|dev_0123456789abcdef';
    await client.factors.list();
    await client.authenticationMethods.list({ type: 'passkey' });
    await client.authenticationMethods.create({ type: 'totp' });
    await client.authenticationMethods.get(id);
    await client.authenticationMethods.update(id, { name: 'Phone' });
    await client.authenticationMethods.delete(id);
    await client.authenticationMethods.verify('passkey|new', { auth_session: 's' });
    await client.connectedAccounts.connect({
      connection: 'c',
      redirect_uri: 'https://a.example/b',
    });
    await client.connectedAccounts.complete({
      auth_session: 's',
      connect_code: 'c',
      redirect_uri: 'https://a.example/b',
    });
    await client.connectedAccounts.list({ connection: ['a', 'b'], from: 'x', take: 5 });
    await client.connectedAccounts.connections();
    await client.connectedAccounts.delete('cac_1');
    await client.accountProfile.get({ fields: ['name', 'email'], include_fields: false });
    await client.accountProfile.update({ nickname: 'ann' });
    expect(seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'GET /api/me/v1/factors',
      'GET /api/me/v1/authentication-methods?type=passkey',
      'POST /api/me/v1/authentication-methods',
      'GET /api/me/v1/authentication-methods/totp%7Cdev_0123456789abcdef',
      'PATCH /api/me/v1/authentication-methods/totp%7Cdev_0123456789abcdef',
      'DELETE /api/me/v1/authentication-methods/totp%7Cdev_0123456789abcdef',
      'POST /api/me/v1/authentication-methods/passkey%7Cnew/verify',
      'POST /api/me/v1/connected-accounts/connect',
      'POST /api/me/v1/connected-accounts/complete',
      'GET /api/me/v1/connected-accounts/accounts?connection=a&connection=b&from=x&take=5',
      'GET /api/me/v1/connected-accounts/connections',
      'DELETE /api/me/v1/connected-accounts/accounts/cac_1',
      'GET /api/me/v1/profile?fields=name%2Cemail&include_fields=false',
      'PATCH /api/me/v1/profile',
    ]);
    expect(
      seen.every(({ headers }) => headers['x-csrf'] === '1' && headers.authorization === undefined),
    ).toBe(true);
    expect(seen[4]?.body).toEqual({ name: 'Phone' });
  });

  test('goes where the options say', async () => {
    const { seen, load } = await given(ok);
    await load({ baseUrl: '/my/api' }).factors.list();
    expect(seen[0]?.url).toBe('/my/api/v1/factors');
  });

  test('of deleting answers nothing', async () => {
    const { load } = await given({ status: 204 });
    await expect(load().authenticationMethods.delete('totp|dev_1')).resolves.toBeUndefined();
  });

  test('of enrolling a passkey answers the id that only the Location header says', async () => {
    const headers = { location: '/api/me/v1/authentication-methods/passkey%7Cnew' };
    const { load } = await given({ status: 202, headers, body: { auth_session: 's' } });
    expect(await load().authenticationMethods.create({ type: 'passkey' })).toEqual({
      id: 'passkey|new',
      auth_session: 's',
    });
  });

  test('asks for a fresh answer when told to', async () => {
    const { seen, load } = await given(ok);
    await load().authenticationMethods.list(undefined, { fresh: true });
    expect(seen[0]?.headers['cache-control']).toBe('no-cache');
  });
});

describe('A failed call', () => {
  test("carries the gateway's own code, detail and sign-in address", async () => {
    const body = {
      type: 'about:blank',
      title: 'Sign in',
      status: 401,
      detail: 'No session.',
      code: 'login_required',
      loginUrl: '/auth/login',
      instance: 'urn:x',
    };
    const { load } = await given({ status: 401, body });
    expect(await failure(load().factors.list())).toMatchObject({
      status: 401,
      code: 'login_required',
      detail: 'No session.',
      loginUrl: '/auth/login',
      instance: 'urn:x',
    });
  });

  test("carries Auth0's code and what was wrong with the body", async () => {
    const validation_errors = [{ detail: 'data must have required property', pointer: '' }];
    const body = {
      type: 'https://auth0.com/api-errors/A0E-400-0003',
      title: 'Validation Error',
      status: 400,
      detail: 'Invalid',
      validation_errors,
    };
    const { load } = await given({ status: 400, body });
    expect(await failure(load().factors.list())).toMatchObject({
      code: 'A0E-400-0003',
      validationErrors: validation_errors,
    });
  });

  test('that answers a page in place of JSON is told by its status', async () => {
    const { load } = await given({
      status: 502,
      body: '<html>',
      headers: { 'content-type': 'text/html' },
    });
    expect(await failure(load().factors.list())).toMatchObject({ status: 502, code: 'http_502' });
  });

  test('without an answer is unreachable', async () => {
    const { load, close: stop } = await given();
    await stop();
    expect(await failure(load().factors.list())).toMatchObject({ status: 0, code: 'unreachable' });
  });

  test('never follows a redirect to another place', async () => {
    const { load } = await given({
      status: 302,
      headers: { location: 'https://elsewhere.example/' },
    });
    expect(await failure(load().factors.list())).toMatchObject({ code: 'unreachable' });
  });
});

describe('The session', () => {
  test('is undefined when nobody is signed in, told by 200 or by 401', async () => {
    const { load } = await given(
      { status: 200, body: { authenticated: false } },
      { status: 401, body: { code: 'login_required' } },
    );
    expect(await load().session()).toBeUndefined();
    expect(await load().session()).toBeUndefined();
  });

  test('is not taken for signed out when the store is away', async () => {
    const { load } = await given({ status: 503, body: { code: 'store_unavailable' } });
    expect(await failure(load().session())).toMatchObject({ code: 'store_unavailable' });
  });

  test('is extended by POST alone', async () => {
    const body = { authenticated: true, user: { sub: 'auth0|1' } };
    const { seen, load } = await given({ status: 200, body }, { status: 200, body });
    const client = load();
    await client.session();
    await client.staySignedIn();
    expect(seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'GET /auth/session',
      'POST /auth/session',
    ]);
  });

  test('begins at the sign-in page and comes back to this one', async () => {
    const { tab, load } = await given();
    tab.url += '?tab=2#methods';
    load().login();
    expect(tab.wentTo[0]).toContain('/auth/login?returnTo=%2Faccount%3Ftab%3D2%23methods');
  });

  test('never begins or ends at another origin', async () => {
    const { load } = await given();
    expect(() => {
      load({ authUrl: 'https://elsewhere.example/auth' }).login();
    }).toThrow(TypeError);
  });
});
