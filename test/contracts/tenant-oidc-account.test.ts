import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startTenant, type Tenant } from '../../src/tenant/index.ts';
import { createApplication, type Application } from '../helpers/tenant-application.ts';

let tenant: Tenant;
let app: Application;

beforeAll(async () => {
  app = createApplication();
  tenant = await startTenant({ clients: [app.client] });
  app.use(tenant);
});

afterAll(async () => {
  await tenant.close();
});

test('a token from a sign-in opens the My Account API with the scopes it was given, no others', async () => {
  const { access_token: token } = await app.signIn({
    scope: 'openid read:me:authentication_methods',
  });
  const call = async (path: string, method = 'GET'): Promise<Response> =>
    fetch(`${tenant.url}/me/v1${path}`, { method, headers: { authorization: `Bearer ${token}` } });
  const list = await call('/authentication-methods');
  expect(list.status).toBe(200);
  expect(await list.json()).toMatchObject({
    authentication_methods: [{ type: 'password' }, { type: 'totp', name: 'Demo authenticator' }],
  });
  expect((await call('/factors')).status).toBe(403);
});

test('the request log says whose token came in, and never shows the token', async () => {
  const { access_token: token } = await app.signIn({ scope: 'openid read:me:factors' });
  const before = tenant.requests().at(-1)?.id ?? 0;
  await fetch(`${tenant.url}/me/v1/factors?type=x`, {
    headers: { authorization: `Bearer ${token}`, cookie: 'a=secret' },
  });
  const [seen] = tenant.requests(before);
  expect(seen).toMatchObject({
    method: 'GET',
    path: '/me/v1/factors',
    status: 200,
    query: { type: 'x' },
    token: { scope: 'openid read:me:factors', client: 'app' },
  });
  expect(seen?.token?.sub).toMatch(/^auth0\|/);
  expect(seen?.token?.jti).toBeDefined();
  expect(JSON.stringify(seen)).not.toContain(token);
  expect(JSON.stringify(seen)).not.toContain('secret');
});
