import { request } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startTenant, type Tenant } from '../../src/tenant/index.ts';

// A page that the developer visits must not move the tenant, nor read it under a name of its own (DNS rebinding).
let tenant: Tenant;
let port = '';
beforeAll(async () => {
  tenant = await startTenant({ custom_domains: ['login.tenant.localhost', 'id.example'] });
  port = new URL(tenant.url).port;
});
beforeEach(() => {
  tenant.reset();
  tenant.configure({ plan: 'free' });
});
afterAll(async () => {
  await tenant.close();
});

/** Sends a request with headers that fetch would not let through. */
async function send(
  method: string,
  path: string,
  headers: Record<string, string>,
  body = '',
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const length = body === '' ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const options = { port, host: '127.0.0.1', method, path, headers: { ...headers, ...length } };
    const sent = request(options, (answer) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
      answer.on('end', () => {
        resolve({ status: answer.statusCode ?? 0, text });
      });
    });
    sent.on('error', reject).end(body);
  });
}
const json = { 'content-type': 'application/json' };
const unmoved = () => {
  expect(tenant.settings().plan).toBe('free');
};
const host = () => `127.0.0.1:${port}`;

test.each([
  '127.0.0.1:PORT',
  'localhost:PORT',
  '[::1]:PORT',
  'tenant.localhost',
  'login.tenant.localhost',
  'id.example',
])('its own name %s is answered', async (name) => {
  const own = { host: name.replace('PORT', port) };
  expect((await send('GET', '/_control/settings', own)).status).toBe(200);
  expect((await send('GET', '/', own)).status).toBe(200);
});

describe.each([
  'rebind.example',
  'rebind.example:PORT',
  'localhost.example',
  '127.0.0.1.example',
  '192.0.2.1',
  'id.example.org',
])('under the name %s', (name) => {
  const foreign = () => ({ host: name.replace('PORT', port) });

  test('nothing is read', async () => {
    for (const path of ['settings', 'requests', 'messages', 'users/demo@example.com']) {
      const { status, text } = await send('GET', `/_control/${path}`, foreign());
      expect(status).toBe(403);
      expect(text).not.toContain(tenant.demoUser.totpSecret);
    }
    const home = await send('GET', '/', foreign());
    expect([home.status, home.text.includes(tenant.demoUser.password)]).toEqual([403, false]);
  });

  test('nothing is changed', async () => {
    const patch = await send('PATCH', '/_control/settings', { ...foreign(), ...json }, '{}');
    const reset = await send('POST', '/_control/reset', foreign());
    expect([patch.status, reset.status]).toEqual([403, 403]);
    unmoved();
  });
});

describe('a request that a page of another site can send without asking', () => {
  test.each([
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: 'http://localhost:3000' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ])('%j does nothing', async (headers) => {
    for (const path of ['reset', 'logout', 'users', 'revoke'])
      expect((await send('POST', `/_control/${path}`, { host: host(), ...headers })).status).toBe(
        403,
      );
    expect((await send('GET', '/_control/settings', { host: host(), ...headers })).status).toBe(
      403,
    );
    unmoved();
  });

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])(
    'a body as %s is none of its own',
    async (type) => {
      const body = JSON.stringify({ email: 'mallory@example.com' });
      const headers = { host: host(), 'content-type': type };
      expect((await send('POST', '/_control/users', headers, body)).status).toBe(415);
      expect((await send('POST', '/_control/users', { host: host() }, body)).status).toBe(415);
      expect(tenant.users.find('mallory@example.com')).toBeUndefined();
    },
  );

  test('its own page, a script and the address bar still get through', async () => {
    const own = { host: host(), origin: `http://${host()}`, 'sec-fetch-site': 'same-origin' };
    expect((await send('GET', '/_control/settings', own)).status).toBe(200);
    const typed = { host: host(), 'sec-fetch-site': 'none' };
    expect((await send('GET', '/_control/settings', typed)).status).toBe(200);
    const patch = { host: host(), 'content-type': 'application/json; charset=utf-8' };
    const { status } = await send('PATCH', '/_control/settings', patch, '{"plan":"essentials"}');
    expect([status, tenant.settings().plan]).toEqual([200, 'essentials']);
    expect((await send('POST', '/_control/reset', { host: host() })).status).toBe(200);
  });
});
