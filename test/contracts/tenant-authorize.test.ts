import { X509Certificate, type JsonWebKey } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startTenant, type Tenant } from '../../src/tenant/index.ts';
import { createBrowser, type Page } from '../helpers/browser-jar.ts';
import { callback, claimsOf, createApplication } from '../helpers/tenant-application.ts';

const app = createApplication({ organization_usage: 'allow' });
const strict = createApplication({ client_id: 'strict', organization_usage: 'require' });
const plain = createApplication({ client_id: 'plain', organization_usage: 'deny' });
const ungranted = createApplication({ client_id: 'ungranted' });
const thirdParty = createApplication({ client_id: 'tpc_third', first_party: false });
const applications = [app, strict, plain, ungranted, thirdParty];
const granted = [app, strict, plain, thirdParty].map(({ client }) => ({
  client_id: client.client_id,
  scope: ['read:me:authentication_methods'],
}));

let tenant: Tenant;
beforeAll(async () => {
  tenant = await startTenant({
    clients: applications.map(({ client }) => client),
    grants: granted,
    organizations: [
      { id: 'org_one', name: 'one' },
      { id: 'org_two', name: 'two' },
    ],
    users: [{ email: 'member@example.com', password: 'Passw0rd', organizations: ['org_one'] }],
  });
  for (const each of applications) each.use(tenant);
});
afterAll(async () => {
  await tenant.close();
});

const member = { email: 'member@example.com', password: 'Passw0rd' };
/** What came back to the callback; nothing when the browser stopped at a page of the tenant. */
const back = ({ url }: Page): Record<string, string> =>
  url.href.startsWith(callback) ? Object.fromEntries(url.searchParams) : {};

describe('what comes back to the callback', () => {
  test('is code and state, as at Auth0 without iss', async () => {
    const browser = createBrowser();
    const page = await browser.signIn(await app.authorize({}, browser), tenant.demoUser, {
      stopAt: callback,
    });
    expect(Object.keys(back(page)).toSorted()).toEqual(['code', 'state']);
  });

  test.each([
    [
      'an audience nobody knows',
      app,
      { audience: 'https://nowhere/' },
      'access_denied',
      'Service not found: https://nowhere/',
    ],
    ['prompt=none without a session', app, { prompt: 'none' }, 'login_required', 'Login required'],
    [
      'an application without a grant',
      ungranted,
      {},
      'invalid_request',
      /^Client "ungranted" is not authorized to access resource server ".*\/me\/"\.$/,
    ],
    ['a third-party application', thirdParty, {}, 'unauthorized_client', /tpc_third/],
    [
      'an organization nobody knows',
      app,
      { organization: 'org_none' },
      'invalid_request',
      'parameter organization is invalid',
    ],
    [
      'no organization where one is required',
      strict,
      {},
      'invalid_request',
      'parameter organization is required for this client',
    ],
    [
      'an organization where none is allowed',
      plain,
      { organization: 'org_one' },
      'invalid_request',
      'parameter organization is not allowed for this client',
    ],
  ] as const)(
    'for %s is an error in Auth0’s words',
    async (_, application, parameters, error, description) => {
      const answer = back(await application.authorize(parameters));
      expect(answer).toEqual({ error, error_description: expect.anything(), state: 'the-state' });
      expect(answer['error_description']).toMatch(description);
    },
  );

  test('prompt=none where an agreement is needed is consent_required', async () => {
    const browser = createBrowser();
    await browser.signIn(await app.authorize({}, browser), tenant.demoUser, { stopAt: callback });
    tenant.configure({ my_account: { skip_consent: false } });
    expect(back(await app.authorize({ prompt: 'none' }, browser))).toMatchObject({
      error: 'consent_required',
      error_description: 'Consent required',
    });
    tenant.configure({ my_account: { skip_consent: true } });
  });

  test('a callback that is not registered gets a page and no redirect', async () => {
    const page = await app.authorize({ redirect_uri: 'https://evil.example/' });
    expect(page.url.origin).toBe(tenant.url);
    expect(page.text).toContain('Callback URL mismatch');
  });
});

describe('a pushed request', () => {
  const push = async () => {
    const parameters = {
      client_id: 'app',
      client_secret: 'app-secret',
      response_type: 'code',
      redirect_uri: callback,
      scope: 'openid',
      state: 'pushed',
    };
    const response = await fetch(`${tenant.url}/oauth/par`, {
      method: 'POST',
      body: new URLSearchParams(parameters),
    });
    expect(response.status).toBe(201);
    return (await response.json()) as { request_uri: string; expires_in: number };
  };
  const visit = async (request_uri: string, browser = createBrowser()) => {
    const url = `${tenant.url}/authorize?${new URLSearchParams({ client_id: 'app', request_uri }).toString()}`;
    return { browser, page: await browser.visit(new URL(url), { stopAt: callback }) };
  };

  test('leads to a code, once', async () => {
    const { request_uri, expires_in } = await push();
    expect(expires_in).toBe(30);
    const { browser, page } = await visit(request_uri);
    expect(back(await browser.signIn(page, tenant.demoUser, { stopAt: callback }))).toMatchObject({
      state: 'pushed',
    });
    const { page: again } = await visit(request_uri, browser);
    expect(back(again)).toMatchObject({ error: 'invalid_request_uri' });
  });

  test('is gone after the seconds it was given', async () => {
    const { request_uri } = await push();
    tenant.configure({ clockOffsetSeconds: 31 });
    const { page } = await visit(request_uri);
    tenant.configure({ clockOffsetSeconds: 0 });
    expect(back(page)).toMatchObject({ error: 'invalid_request_uri' });
  });
});

test('the published key has the members of Auth0’s, and its certificate is the key’s own', async () => {
  const { keys } = (await (await fetch(`${tenant.url}/.well-known/jwks.json`)).json()) as {
    keys: (JsonWebKey & { x5c: string[]; x5t: string })[];
  };
  const [key] = keys;
  expect(Object.keys(key ?? {}).toSorted()).toEqual([
    'alg',
    'e',
    'kid',
    'kty',
    'n',
    'use',
    'x5c',
    'x5t',
  ]);
  const certificate = new X509Certificate(Buffer.from(key?.x5c[0] ?? '', 'base64'));
  expect(certificate.publicKey.export({ format: 'jwk' })['n']).toBe(key?.n);
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(
    Buffer.from(certificate.fingerprint.replaceAll(':', ''), 'hex').toString('base64url'),
  ).toBe(key?.x5t);
  expect(Date.parse(certificate.validTo)).toBeGreaterThan(Date.now());
});

describe('organizations', () => {
  test('a member’s tokens name the organization', async () => {
    const { access_token, id_token } = await app.signIn(
      { organization: 'org_one' },
      { person: member },
    );
    expect([claimsOf(access_token)['org_id'], claimsOf(id_token)['org_id']]).toEqual([
      'org_one',
      'org_one',
    ]);
  });

  test('somebody else is refused, signed in before or not', async () => {
    const browser = createBrowser();
    const shown = await app.authorize({ organization: 'org_two' }, browser);
    expect(back(await browser.signIn(shown, member, { stopAt: callback }))).toMatchObject({
      error: 'access_denied',
    });
    await browser.signIn(await app.authorize({}, browser), member, { stopAt: callback });
    expect(
      back(await app.authorize({ organization: 'org_two', prompt: 'none' }, browser)),
    ).toMatchObject({ error: 'login_required' });
    expect(
      back(await app.authorize({ organization: 'org_one', prompt: 'none' }, browser)),
    ).toHaveProperty('code');
  });
});
