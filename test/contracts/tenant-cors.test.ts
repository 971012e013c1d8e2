import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startTenant, type Tenant } from '../../src/tenant/index.ts';
import { createBrowser } from '../helpers/browser-jar.ts';
import { callback, createApplication } from '../helpers/tenant-application.ts';

// A front end without a gateway calls Auth0 from the page: from the origins its application names, and no other.
const page = 'http://localhost:3999';
const app = createApplication({
  web_origins: [page],
  grant_types: ['authorization_code', 'refresh_token'],
});
const other = { client_id: 'other', client_secret: 'x', callbacks: [callback] };

let tenant: Tenant;
beforeAll(async () => {
  tenant = await startTenant({ clients: [app.client, other], limits: { enforced: false } });
  app.use(tenant);
});
beforeEach(() => {
  tenant.reset();
});
afterAll(async () => {
  await tenant.close();
});

const call = (method: string, path: string, headers: Record<string, string>) =>
  fetch(`${tenant.url}${path}`, { method, headers, redirect: 'manual' });
const preflight = (path: string, origin: string, method = 'POST') =>
  call('OPTIONS', path, {
    origin,
    'access-control-request-method': method,
    'access-control-request-headers': 'authorization, content-type, dpop',
  });
const allowed = ({ headers }: Response) => headers.get('access-control-allow-origin');

describe.each([
  ['/me/v1/authentication-methods', 'GET'],
  ['/me/v1/authentication-methods/passkey%7Cnew/verify', 'POST'],
  ['/passkey/challenge', 'POST'],
  ['/mfa/authenticators', 'GET'],
  ['/mfa/challenge', 'POST'],
])('%s', (path, method) => {
  test('tells a page of the application what it may send', async () => {
    const answer = await preflight(path, page, method);
    expect([answer.status, allowed(answer)]).toEqual([204, page]);
    expect(answer.headers.get('access-control-allow-methods')).toContain(method);
    for (const name of ['authorization', 'content-type', 'dpop'])
      expect(answer.headers.get('access-control-allow-headers')).toContain(name);
    expect(answer.headers.get('vary')).toMatch(/origin/i);
  });

  test.each(['https://evil.example', 'http://localhost:3998', 'null'])(
    'tells a page of %s nothing',
    async (origin) => {
      expect(allowed(await preflight(path, origin, method))).toBeNull();
      expect(allowed(await call(method, path, { origin }))).toBeNull();
    },
  );

  test('answers a page of the application, with the refusals too', async () => {
    const answer = await call(method, path, { origin: page });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(allowed(answer)).toBe(page);
  });
});

test('Location and the limits are there for the page to read', async () => {
  const scope = 'openid create:me:authentication_methods';
  const { access_token } = await app.signIn({ scope });
  const answer = await fetch(`${tenant.url}/me/v1/authentication-methods`, {
    method: 'POST',
    headers: {
      origin: page,
      authorization: `Bearer ${access_token}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ type: 'passkey' }),
  });
  expect(answer.status).toBe(202);
  const exposed = answer.headers.get('access-control-expose-headers') ?? '';
  for (const name of ['Location', 'x-ratelimit-remaining', 'retry-after'])
    expect(exposed).toContain(name);
});

test('the token endpoint is open to the origins of the very application that asks', async () => {
  const refresh = (client_id: string, client_secret: string, origin: string) =>
    fetch(`${tenant.url}/oauth/token`, {
      method: 'POST',
      headers: { origin },
      body: new URLSearchParams({
        ...{ client_id, client_secret },
        ...{ grant_type: 'refresh_token', refresh_token: 'x' },
      }),
    });
  expect(allowed(await refresh('app', 'app-secret', page))).toBe(page);
  expect(allowed(await refresh('app', 'app-secret', 'https://evil.example'))).toBeNull();
  expect(allowed(await refresh('other', 'x', page))).toBeNull();
});

describe('response_mode=web_message', () => {
  const asked = { response_mode: 'web_message', prompt: 'none' };

  test('posts the code to the page that opened it, at its origin alone', async () => {
    const browser = createBrowser();
    await app.signIn({}, { browser });
    const answer = await app.authorize(asked, browser);
    expect(answer.status).toBe(200);
    const [, said = ''] = /<script[^>]*id="answer"[^>]*>(.*?)<\/script>/s.exec(answer.text) ?? [];
    expect(JSON.parse(said)).toEqual({
      origin: page,
      message: {
        type: 'authorization_response',
        response: { code: expect.any(String) as unknown, state: 'the-state' },
      },
    });
  });

  test('posts the failure of a silent sign-in likewise', async () => {
    const { text } = await app.authorize(asked);
    expect(text).toContain('"error":"login_required","error_description":"Login required"');
  });

  test('an address that would end the script stays text', async () => {
    const { text } = await app.authorize({ ...asked, state: '</script><script>alert(1)' });
    expect(text).not.toContain('</script><script>alert');
  });

  test('answers no origin that the application does not name', async () => {
    const browser = createBrowser();
    await app.signIn({}, { browser });
    tenant.configure({ clients: [{ ...app.client, web_origins: [] }] });
    const answer = await app.authorize(asked, browser);
    expect([answer.status, answer.text.includes('authorization_response')]).toEqual([403, false]);
  });
});
