import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startTenant, type Tenant } from '../../src/tenant/index.ts';
import { createApplication } from '../helpers/tenant-application.ts';

const app = createApplication();
const path = '/.well-known/jwks.json';

let tenant: Tenant;
beforeAll(async () => {
  tenant = await startTenant({ clients: [app.client] });
  app.use(tenant);
});
beforeEach(() => {
  tenant.reset();
});
afterAll(async () => {
  await tenant.close();
});

async function control(method: string, call: string, body?: object) {
  const response = await fetch(`${tenant.url}/_control/${call}`, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
const get = async (url = `${tenant.url}${path}`) => fetch(url);

describe('settings', () => {
  test('a patch holds at once, merges, and null goes back to the default', async () => {
    await control('PATCH', 'settings', { plan: 'free', limits: { user: { factors_read: 7 } } });
    const { body } = await control('PATCH', 'settings', {
      limits: { tenant: { connected_accounts_write: 9 } },
    });
    expect(body).toMatchObject({
      plan: 'free',
      limits: { user: { factors_read: 7 }, tenant: { connected_accounts_write: 9 } },
    });
    expect((await control('PATCH', 'settings', { plan: null })).body).toMatchObject({
      plan: 'enterprise',
    });
  });

  test('a wrong patch changes nothing and names every problem', async () => {
    const { status, body } = await control('PATCH', 'settings', {
      plan: 'gold',
      tokens: { accessTokenSeconds: -1 },
      nonsense: 1,
    });
    expect(status).toBe(400);
    for (const problem of ['plan', 'tokens.accessTokenSeconds', 'nonsense'])
      expect(body['error']).toContain(problem);
    expect(tenant.settings().plan).toBe('enterprise');
  });

  test('wrong options do not start, with every problem in one message', async () => {
    const options: object = { plan: 'gold', port: -1, clients: [{ name: 'no id' }] };
    await expect(startTenant(options)).rejects.toThrow(/plan[^]*port|port[^]*plan/);
    await expect(startTenant(options)).rejects.toThrow(/client_id/);
  });
});

describe('users', () => {
  test('ten thousand are made by one call and can sign in', async () => {
    const { status, body } = await control('POST', 'users', { count: 10_000 });
    const { users } = body as { users: { user_id: string; email: string }[] };
    expect([status, users.length, new Set(users.map((user) => user.user_id)).size]).toEqual([
      201, 10_000, 10_000,
    ]);
    const person = { email: users[9_999]?.email ?? '', password: 'password' };
    expect((await app.signIn({}, { person })).status).toBe(200);
  });

  test('one is made whole, read, changed and removed', async () => {
    await control('POST', 'users', {
      email: 'ann@example.com',
      password: 'Passw0rd',
      methods: [{ type: 'totp' }, { type: 'recovery-code' }],
    });
    expect((await control('GET', 'users/ann@example.com')).body).toMatchObject({
      email: 'ann@example.com',
    });
    expect(
      (await control('PATCH', 'users/ann@example.com', { email: 'anna@example.com' })).body,
    ).toMatchObject({
      email: 'anna@example.com',
    });
    expect((await control('DELETE', 'users/anna@example.com')).status).toBe(200);
    expect((await control('GET', 'users/anna@example.com')).status).toBe(404);
  });
});

describe('the request log', () => {
  test('lists what came since, and is emptied', async () => {
    await get();
    const { body } = await control('GET', 'requests');
    const { requests } = body as { requests: { id: number; path: string; status: number }[] };
    expect(requests.at(-1)).toMatchObject({ method: 'GET', path, status: 200 });
    await get(`${tenant.url}/nothing`);
    expect((await control('GET', `requests?since=${requests.at(-1)?.id ?? 0}`)).body).toMatchObject(
      {
        requests: [{ path: '/nothing', status: 404 }],
      },
    );
    await control('DELETE', 'requests');
    expect((await control('GET', 'requests')).body).toEqual({ requests: [] });
  });
});

describe('faults', () => {
  const fault = async (given: object) =>
    control('POST', 'faults', { path: '/.well-known/', ...given });

  test('answer so often with a status, headers and body of their own, and let others pass', async () => {
    await fault({
      status: 429,
      headers: { 'retry-after': '7' },
      body: { error: 'busy' },
      times: 2,
      skip: 1,
    });
    const statuses = [];
    for (let index = 0; index < 4; index += 1) statuses.push((await get()).status);
    expect(statuses).toEqual([200, 429, 429, 200]);
    await fault({ status: 503, method: 'POST' });
    expect((await get()).status).toBe(200);
  });

  test('reach the My Account API', async () => {
    await control('POST', 'faults', { path: '/me/', status: 500, body: 'broken' });
    const answer = await get(`${tenant.url}/me/v1/factors`);
    expect([answer.status, await answer.text()]).toEqual([500, 'broken']);
    expect((await get(`${tenant.url}/me/v1/factors`)).status).toBe(401);
  });

  test('delay an answer', async () => {
    await fault({ delayMs: 150 });
    const began = performance.now();
    await get();
    expect(performance.now() - began).toBeGreaterThanOrEqual(140);
  });

  test('break the connection before the answer, or in its middle', async () => {
    await fault({ reset: 'before-headers' });
    await expect(get()).rejects.toThrow();
    await fault({ reset: 'mid-body' });
    const answer = await get();
    expect(answer.status).toBe(200);
    await expect(answer.text()).rejects.toThrow();
    expect((await get()).status).toBe(200);
  });

  test('break the connection of the My Account API in the middle of the answer', async () => {
    const { access_token } = await app.signIn();
    const headers = { authorization: `Bearer ${access_token}` };
    await control('POST', 'faults', { path: '/me/', reset: 'mid-body' });
    const answer = await fetch(`${tenant.url}/me/v1/authentication-methods`, { headers });
    await expect(answer.text()).rejects.toThrow();
    expect((await fetch(`${tenant.url}/me/v1/authentication-methods`, { headers })).status).toBe(
      200,
    );
  });

  test('spread a body over time', async () => {
    await fault({ slowBodyMs: 200 });
    const began = performance.now();
    expect(await (await get()).json()).toHaveProperty('keys');
    expect(performance.now() - began).toBeGreaterThanOrEqual(150);
  });

  test('are listed and cleared; a wrong one is refused', async () => {
    await fault({ status: 500, times: 9 });
    expect((await control('GET', 'faults')).body).toMatchObject({
      faults: [{ status: 500, times: 9 }],
    });
    await control('DELETE', 'faults');
    expect((await get()).status).toBe(200);
    expect((await fault({ status: 42 })).status).toBe(400);
  });
});

test('a reset is a fresh start: users, settings, log, faults, levels of limits', async () => {
  tenant.users.add({ email: 'ann@example.com', password: 'Passw0rd' });
  tenant.configure({ plan: 'free' });
  tenant.faults.add({ status: 500 });
  await get(`${tenant.url}/nothing`);
  await control('POST', 'reset');
  expect(tenant.users.find('ann@example.com')).toBeUndefined();
  expect(tenant.users.find(tenant.demoUser.email)).toBeDefined();
  expect(tenant.settings().plan).toBe('enterprise');
  expect([tenant.requests(), tenant.faults.list()]).toEqual([[], []]);
});

test('two tenants in one process share nothing', async () => {
  const other = await startTenant({ plan: 'free', clients: [app.client] });
  try {
    other.users.add({ email: 'theirs@example.com', password: 'Passw0rd' });
    expect(tenant.users.find('theirs@example.com')).toBeUndefined();
    expect([tenant.settings().plan, other.settings().plan]).toEqual(['enterprise', 'free']);
    const { access_token } = await app.signIn();
    const foreign = await fetch(`${other.url}/me/v1/authentication-methods`, {
      headers: { authorization: `Bearer ${access_token}` },
    });
    expect(foreign.status).toBe(401);
    expect(tenant.requests().some((seen) => seen.path.startsWith('/me/'))).toBe(false);
  } finally {
    await other.close();
  }
});

test('without control there is none', async () => {
  const closed = await startTenant({ control: false });
  try {
    expect((await get(`${closed.url}/_control/settings`)).status).toBe(403);
    expect(await (await get(closed.url)).text()).toContain('Control is off');
  } finally {
    await closed.close();
  }
});

test('an unknown call says which there are', async () => {
  const { status, body } = await control('POST', 'nonsense', {});
  expect(status).toBe(404);
  expect(body['calls']).toContain('PATCH settings');
});

test('the page at / says what this is and how to sign in', async () => {
  const page = await (await get(`${tenant.url}/`)).text();
  for (const text of [
    tenant.demoUser.email,
    tenant.demoUser.totpSecret,
    `${tenant.url}/me/`,
    '/_control/settings',
  ])
    expect(page).toContain(text);
});
