import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import request from 'supertest';
import { startTenant, type Tenant } from '../../src/tenant/index.ts';
import { freePort } from '../helpers/gateway.ts';
import { createPerson } from '../helpers/person.ts';
import { exchangeRaw, lines, statusOf } from '../helpers/raw-socket.ts';
import { installHouse, startHouse, type House } from './house.ts';

describe.each(['express-4', 'nest', 'fastify', 'next'])('%s', (name) => {
  let house: House | undefined;
  let tenant: Tenant | undefined;
  let origin = '';
  beforeAll(async () => {
    const folder = await installHouse(name);
    const port = await freePort();
    origin = `http://localhost:${port}`;
    tenant = await startTenant({
      control: true,
      clients: [
        {
          client_id: 'house',
          client_secret: 'a-client-secret-of-the-houses',
          callbacks: [`${origin}/auth/callback`],
          allowed_logout_urls: [`${origin}/`],
        },
      ],
    });
    house = await startHouse(folder, {
      AUTH0_DOMAIN: tenant.url,
      AUTH0_CLIENT_ID: 'house',
      AUTH0_CLIENT_SECRET: 'a-client-secret-of-the-houses',
      AUTH0_SECRET: 'a secret of the tests that is long enough to seal with',
      APP_BASE_URL: origin,
      LOG_LEVEL: 'warn',
      PORT: String(port),
    });
  }, 360_000);
  afterAll(async () => {
    await house?.close();
    await tenant?.close();
  });

  const paths = ['/before', '/after', '/api/orders', '/auth/other'];
  const hostAnswers = async (): Promise<void> => {
    for (const path of paths) {
      const { status, text, headers } = await request(origin).get(path);
      expect([path, status]).toEqual([path, 200]);
      expect(text).toContain('host');
      // Next's development server sends a policy of nobody's making here.
      expect([path, headers['x-request-id'], headers['content-security-policy']]).toEqual([
        path,
        undefined,
        undefined,
      ]);
    }
    const order = await request(origin).post('/api/orders').send({ item: 'chair' });
    expect([order.status, order.body]).toEqual([200, { item: 'chair' }]);
  };

  test('the host’s own routes answer, somebody signs in, reads, changes and signs out, and they still answer', async () => {
    await hostAnswers();
    const person = createPerson(origin, tenant?.demoUser);
    expect((await person.call('GET', '/api/me/v1/authentication-methods')).status).toBe(401);
    await person.signIn('/before');
    const read = await person.call('GET', '/api/me/v1/authentication-methods');
    expect(read.status).toBe(200);
    expect(read.json()).toHaveProperty('authentication_methods');
    expect((await person.call('GET', '/auth/session')).json()).toMatchObject({
      authenticated: true,
    });
    // A change takes its body as it was sent; what this one lacks is the scope.
    const change = await person.call('POST', '/api/me/v1/authentication-methods', { type: 'totp' });
    expect([change.status, change.json()]).toEqual([
      403,
      expect.objectContaining({ code: 'step_up_required' }),
    ]);
    expect((await person.call('POST', '/auth/logout')).status).toBe(200);
    expect((await person.call('GET', '/api/me/v1/authentication-methods')).status).toBe(401);
    await hostAnswers();
  }, 120_000);

  test('an address that nobody has is the host’s to answer', async () => {
    for (const path of ['/nothing', '/auth/nothing', '/api/nothing']) {
      const { status, headers } = await request(origin).get(path);
      expect([path, status, headers['x-request-id']]).toEqual([path, 404, undefined]);
    }
  }, 60_000);

  if (name === 'next')
    test('an upgrade of the gateway’s own routes is refused', async () => {
      const upgrade = (path: string): string =>
        lines(
          ...[
            `GET ${path} HTTP/1.1`,
            `Host: ${new URL(origin).host}`,
            `Origin: ${origin}`,
            'Connection: Upgrade',
            'Upgrade: websocket',
          ],
          ...['Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='],
        );
      const port = Number(new URL(origin).port);
      expect(statusOf(await exchangeRaw(port, upgrade('/auth/session')))).toBe(404);
    }, 60_000);
});
