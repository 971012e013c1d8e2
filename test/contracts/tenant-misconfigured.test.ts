import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { startTenant, type Tenant } from '../../src/tenant/index.ts';
import type { Page } from '../helpers/browser-jar.ts';
import { createApplication } from '../helpers/tenant-application.ts';

// What a tenant answers to settings that do not fit, so that a diagnosis can be tried against it.
const app = createApplication();
let tenant: Tenant;
beforeAll(async () => {
  tenant = await startTenant({
    clients: [app.client],
    organizations: [{ id: 'org_1', name: 'o' }],
  });
  app.use(tenant);
});
beforeEach(() => {
  tenant.reset();
});
afterAll(async () => {
  await tenant.close();
});

const client = (change: object) => {
  tenant.configure({ clients: [{ ...app.client, ...change }] });
};
const errorAt = ({ url }: Page) => [
  url.searchParams.get('error'),
  url.searchParams.get('error_description'),
];
const tracking = /tracking id: <code>[0-9a-f]{20}<\/code>/i;

test('an application nobody knows is told on a page, with code, description and tracking id', async () => {
  const page = await app.authorize({ client_id: 'nobody' });
  expect([page.status, page.url.pathname]).toEqual([400, '/authorize']);
  expect(page.text).toContain('invalid_request : Unknown client: nobody');
  expect(page.text).toMatch(tracking);
});

test('a callback that is not registered is 403 unauthorized_client on a page', async () => {
  const page = await app.authorize({ redirect_uri: 'http://localhost:3999/other' });
  expect(page.status).toBe(403);
  expect(page.text).toContain('unauthorized_client : Callback URL mismatch');
  expect(page.text).toMatch(tracking);
});

test('a page of the tenant’s own gets what the page would have said', async () => {
  tenant.configure({ error_page: { url: 'https://app.example/oops?lang=en' } });
  const url = `${tenant.url}/authorize?client_id=nobody&response_type=code`;
  const answer = await fetch(url, { redirect: 'manual' });
  expect(answer.status).toBe(302);
  const to = new URL(answer.headers.get('location') ?? '');
  expect(`${to.origin}${to.pathname}`).toBe('https://app.example/oops');
  expect(Object.fromEntries(to.searchParams)).toEqual({
    lang: 'en',
    client_id: 'nobody',
    error: 'invalid_request',
    error_description: 'Unknown client: nobody',
    tracking: expect.stringMatching(/^[0-9a-f]{20}$/) as unknown,
  });
});

test('an application without a connection goes back with invalid_request', async () => {
  client({ connections: [] });
  const wanted = ['invalid_request', 'no connections enabled for the client'];
  expect(errorAt(await app.authorize())).toEqual(wanted);
});

test('a password grant for a directory that the application may not use is refused', async () => {
  const { email: username, password } = tenant.demoUser;
  const grant_types = ['http://auth0.com/oauth/grant-type/password-realm'];
  const ask = () =>
    app.token({
      grant_type: 'http://auth0.com/oauth/grant-type/password-realm',
      realm: 'Username-Password-Authentication',
      ...{ username, password },
    });
  client({ grant_types });
  expect((await ask()).status).toBe(200);
  client({ grant_types, connections: [] });
  expect(await ask()).toMatchObject({
    status: 403,
    error_description: 'the connection was disabled',
  });
});

test('an application is not for organizations unless it says so', async () => {
  const denied = ['invalid_request', 'parameter organization is not allowed for this client'];
  expect(errorAt(await app.authorize({ organization: 'org_1' }))).toEqual(denied);
  client({ organization_usage: 'allow' });
  expect((await app.authorize({ organization: 'org_1' })).url.pathname).toBe('/u/login');
});

test('where pushed requests are off, discovery names no endpoint and there is none', async () => {
  const named = async () => {
    const document = await fetch(`${tenant.url}/.well-known/openid-configuration`);
    return 'pushed_authorization_request_endpoint' in ((await document.json()) as object);
  };
  const push = async () =>
    (await fetch(`${tenant.url}/oauth/par`, { method: 'POST', body: new URLSearchParams() }))
      .status;
  expect([await named(), await push()]).not.toEqual([false, 404]);
  tenant.configure({ pushed_authorization_requests: false });
  expect([await named(), await push()]).toEqual([false, 404]);
});
