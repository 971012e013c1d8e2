import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { exportJWK, exportPKCS8, generateKeyPair, type JWK } from 'jose';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { freePort } from '../helpers/gateway.ts';
import { createPerson, type Credentials, type Person } from '../helpers/person.ts';
import { startProgram, type Running } from '../helpers/process.ts';
import { startRedis } from '../helpers/redis.ts';
import { until } from '../helpers/until.ts';

const toEnd: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of toEnd.splice(0).reverse()) await end();
});

const methods = '/api/me/v1/authentication-methods';
const tokenSeconds = 600;
let signingKey: string;
let publicKey: JWK;
beforeAll(async () => {
  const pair = await generateKeyPair('RS256', { extractable: true });
  signingKey = await exportPKCS8(pair.privateKey);
  publicKey = { ...(await exportJWK(pair.publicKey)), kid: 'k', alg: 'RS256', use: 'sig' };
});

const shifted = (seconds: number): Record<string, string> => ({
  CLOCK_OFFSET_SECONDS: String(seconds),
  NODE_OPTIONS: `--import=${pathToFileURL(join(import.meta.dirname, '../helpers/shifted-clock.ts')).href}`,
});

interface Seen {
  readonly parameters?: Record<string, string>;
  readonly status: number;
}

/** Redis on the machine's clock, a gateway and a tenant each so many seconds ahead of it, as processes of their own. */
const start = async (
  ahead: { gateway: number; tenant: number },
  settings: Record<string, string> = {},
) => {
  const port = await freePort();
  const origin = `http://localhost:${port}`;
  const folder = mkdtempSync(join(tmpdir(), 'clocks-'));
  toEnd.push(async () => {
    rmSync(folder, { recursive: true, force: true });
    return Promise.resolve();
  });
  const config = join(folder, 'tenant.json');
  const authentication =
    settings['AUTH0_CLIENT_SECRET'] === undefined
      ? { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [publicKey] } }
      : { client_secret: settings['AUTH0_CLIENT_SECRET'] };
  const client = {
    client_id: 'clocks',
    ...authentication,
    callbacks: [`${origin}/auth/callback`],
    backchannel_logout_uri: `${origin}/auth/backchannel-logout`,
  };
  writeFileSync(
    config,
    JSON.stringify({
      clients: [client],
      tokens: { accessTokenSeconds: tokenSeconds },
      limits: { enforced: false },
    }),
  );
  const redis = await startRedis();
  toEnd.push(async () => redis.stop());
  const tenant = await startProgram<{ tenant: string; user: Credentials }>(
    ['tenant', '--json', '--port', '0', '--control', '--config', config],
    shifted(ahead.tenant),
  );
  toEnd.push(async () => tenant.kill());
  const gateway: Running<object> = await startProgram(['start'], {
    AUTH0_DOMAIN: tenant.ready.tenant,
    AUTH0_CLIENT_ID: 'clocks',
    AUTH0_CLIENT_ASSERTION_SIGNING_KEY: signingKey,
    AUTH0_SECRET: 'a secret of the tests that is long enough to seal with',
    AUTH0_DPOP: 'true',
    APP_BASE_URL: origin,
    REDIS_URL: redis.url,
    // Each read is to need a token and a place in the budget.
    READ_KEEP_SECONDS: '0',
    PORT: String(port),
    ADMIN_PORT: '0',
    ...settings,
    ...shifted(ahead.gateway),
  });
  toEnd.push(async () => gateway.kill());
  const refreshes = async (): Promise<Seen[]> => {
    const { requests } = (await (
      await fetch(`${tenant.ready.tenant}/_control/requests`)
    ).json()) as { requests: Seen[] };
    return requests.filter(({ parameters }) => parameters?.['grant_type'] === 'refresh_token');
  };
  const control = async (method: string, what: string, body: object): Promise<void> => {
    const headers = { 'content-type': 'application/json' };
    const address = `${tenant.ready.tenant}/_control/${what}`;
    const { ok } = await fetch(address, { method, headers, body: JSON.stringify(body) });
    expect(ok).toBe(true);
  };
  const person = createPerson(origin, tenant.ready.user);
  return { origin, control, gateway, person, user: tenant.ready.user, refreshes };
};

const remaining = async (person: Person): Promise<number> => {
  const { quota } = (await person.call('GET', '/auth/session')).json() as {
    quota: { authentication_methods_read: { remaining: number } };
  };
  return quota.authentication_methods_read.remaining;
};

describe('clocks five minutes apart', () => {
  // Only differences count: where gateway and tenant agree, Redis is the one that is off.
  test.each([
    ['the gateway ahead', { gateway: 300, tenant: 0 }],
    ['the gateway behind', { gateway: -300, tenant: 0 }],
    ['the tenant ahead', { gateway: 0, tenant: 300 }],
    ['the tenant behind', { gateway: 0, tenant: -300 }],
    ['Redis behind', { gateway: 300, tenant: 300 }],
    ['Redis ahead', { gateway: -300, tenant: -300 }],
    ['the gateway ahead, the tenant behind', { gateway: 300, tenant: -300 }],
    ['the gateway behind, the tenant ahead', { gateway: -300, tenant: 300 }],
  ])(
    '%s: sign-in, bound tokens, limits, refreshes, timeouts and logout from Auth0 are as ever',
    async (_what, ahead) => {
      const at = await start(ahead);
      const { person } = at;
      expect((await person.signIn('/auth/session')).json()).toMatchObject({ authenticated: true });
      const full = await remaining(person);
      for (let i = 0; i < 2; i += 1) expect((await person.call('GET', methods)).status).toBe(200);
      // One may have come back by then on a machine that is slow.
      expect([full - 2, full - 1]).toContain(await remaining(person));
      const { expiresIn, idleExpiresIn } = (
        await person.call('GET', '/auth/session')
      ).json() as Record<string, number>;
      expect(expiresIn).toBeGreaterThan(259_200 - 120);
      expect(expiresIn).toBeLessThanOrEqual(259_200);
      expect(idleExpiresIn).toBeGreaterThan(86_400 - 120);
      // A token that is good is not renewed; one that has ended is, once.
      expect(await at.refreshes()).toEqual([]);
      await at.control('PATCH', 'settings', { tokens: { accessTokenSeconds: 1 } });
      const other = createPerson(at.origin, at.user);
      await other.signIn('/auth/session');
      await at.control('PATCH', 'settings', { tokens: { accessTokenSeconds: tokenSeconds } });
      await sleep(1_100);
      const answers = await Promise.all([1, 2].map(async () => other.call('GET', methods)));
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      expect((await at.refreshes()).map(({ status }) => status)).toEqual([200]);

      await at.control('POST', 'logout', { email: at.user.email });
      expect(
        await until(async () => (await person.call('GET', '/auth/profile')).status === 401),
      ).toBe(true);
      const apart = ahead.tenant - ahead.gateway;
      const said = at.gateway
        .output()
        .split('\n')
        .find((line) => line.includes('clock_differs'));
      if (apart === 0) expect(said).toBeUndefined();
      else
        expect(
          Math.abs((JSON.parse(said ?? '{"seconds":0}') as { seconds: number }).seconds - apart),
        ).toBeLessThanOrEqual(60);
    },
  );
});

test('a gateway hours ahead of Auth0 says at sign-in, and in its log, that the clocks are the reason', async () => {
  const at = await start(
    { gateway: 11 * 3_600, tenant: 0 },
    {
      AUTH0_CLIENT_ASSERTION_SIGNING_KEY: '',
      AUTH0_CLIENT_SECRET: 'a-client-secret',
      AUTH0_DPOP: 'false',
    },
  );
  const page = await at.person.signIn('/account');
  expect(page.status).toBe(400);
  expect(page.text).toContain('The clocks of Auth0 and of this gateway are too far apart');
  expect(page.text).toContain('returnTo=%2Faccount');
  expect(at.gateway.output()).toMatch(/"event":"clock_differs","seconds":-39\d{3}/);
});
