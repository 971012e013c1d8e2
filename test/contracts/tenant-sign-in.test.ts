import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { startTenant, type Tenant } from '../../src/tenant/index.ts';
import { createBrowser, type Browser, type Page } from '../helpers/browser-jar.ts';
import { callback, claimsOf, createApplication } from '../helpers/tenant-application.ts';

const acr_values = 'http://schemas.openid.net/pape/policies/2007/06/multi-factor';
const home = 'http://localhost:3999/';
const person = { email: 'many@example.com', password: 'Passw0rd' };

let tenant: Tenant;
let listener: Server;
const heard: Record<string, unknown>[] = [];
const app = createApplication();

beforeAll(async () => {
  // The application's back-channel endpoint: keeps the claims of every logout token.
  listener = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      heard.push(claimsOf(new URLSearchParams(body).get('logout_token') ?? ''));
      response.end();
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  tenant = await startTenant({
    clients: [{ ...app.client, backchannel_logout_uri: `http://127.0.0.1:${port}/` }],
    users: [
      { ...person, methods: [{ type: 'email' }, { type: 'recovery-code' }] },
      { email: 'bare@example.com', password: 'Passw0rd' },
    ],
  });
  app.use(tenant);
});
afterEach(() => {
  tenant.reset();
  heard.length = 0;
});
afterAll(async () => {
  await tenant.close();
  listener.close();
});

const control = async (path: string, body: object, method = 'POST') => {
  const response = await fetch(`${tenant.url}/_control/${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(method === 'DELETE' ? {} : { body: JSON.stringify(body) }),
  });
  return (await response.json()) as Record<string, unknown>;
};

/** As far as the second factor. */
async function toChallenge(browser: Browser, who = person): Promise<Page> {
  const page = await app.authorize({ acr_values }, browser);
  return browser.submit(
    page,
    { username: who.email, password: who.password },
    { stopAt: callback },
  );
}

const errorAt = (page: Page): unknown[] => [
  page.url.searchParams.get('error'),
  page.url.searchParams.get('error_description'),
];

describe('the second factor', () => {
  test('is a code by e-mail for a user who has no app; a wrong one may be tried again', async () => {
    const browser = createBrowser();
    const page = await toChallenge(browser);
    expect(page.url.pathname).toBe('/u/mfa-email-challenge');
    const wrong = await browser.submit(page, { code: '000000' }, { stopAt: callback });
    expect([wrong.status, wrong.text.includes('The code you entered is invalid')]).toEqual([
      400,
      true,
    ]);
    const { code = '' } = tenant.messages(person.email).at(-1) ?? {};
    const back = await browser.submit(wrong, { code }, { stopAt: callback });
    expect(claimsOf((await app.exchange(back)).id_token)).toMatchObject({
      acr: acr_values,
      amr: ['mfa'],
    });
  });

  test('is a recovery code where the user chooses it, and that code is spent', async () => {
    const browser = createBrowser();
    const page = await toChallenge(browser);
    const other = await browser.visit(
      new URL(`/u/mfa-recovery-code-challenge${page.url.search}`, page.url),
    );
    const code = tenant.users.find(person.email)?.recoveryCode ?? '';
    const back = await browser.submit(other, { code }, { stopAt: callback });
    expect(back.url.searchParams.get('code')).not.toBeNull();
    expect(tenant.users.find(person.email)?.recoveryCode).not.toBe(code);
  });

  test('is set up on the way by a user who has none', async () => {
    const bare = { email: 'bare@example.com', password: 'Passw0rd' };
    const browser = createBrowser();
    const page = await toChallenge(browser, bare);
    expect(page.url.pathname).toBe('/u/mfa-otp-enrollment');
    const back = await browser.signIn(page, bare, { stopAt: callback });
    expect(claimsOf((await app.exchange(back)).id_token)).toMatchObject({ amr: ['mfa'] });
    expect(tenant.users.find(bare.email)?.methods.map(({ type }) => type)).toEqual([
      'password',
      'totp',
    ]);
  });

  test('is not open to guessing: after ten wrong codes the right one is refused too', async () => {
    const browser = createBrowser();
    let page = await toChallenge(browser, tenant.demoUser);
    for (let attempt = 0; attempt < 10; attempt += 1)
      page = await browser.submit(page, { code: '12345' }, { stopAt: callback });
    await expect(
      browser.signIn({ ...page, status: 200 }, tenant.demoUser, { stopAt: callback }),
    ).rejects.toThrow('too many attempts');
  });

  test('is asked anew at each step-up of one browser, and only when asked for', async () => {
    const browser = createBrowser();
    await app.signIn({}, { browser });
    expect((await app.authorize({}, browser)).url.searchParams.get('code')).not.toBeNull();
    for (const _ of [1, 2]) {
      expect((await app.authorize({ acr_values }, browser)).url.pathname).toBe(
        '/u/mfa-otp-challenge',
      );
      await app.signIn({ acr_values }, { browser });
    }
    expect(errorAt(await app.authorize({ acr_values, prompt: 'none' }, browser))[0]).toBe(
      'interaction_required',
    );
  });

  test('follows the hierarchy: the tenant’s policy asks once in a browser, an Action that switches MFA off outranks it', async () => {
    tenant.configure({ mfa: { always: true } });
    const browser = createBrowser();
    const page = await app.authorize({}, browser);
    const second = await browser.submit(
      page,
      { username: tenant.demoUser.email, password: tenant.demoUser.password },
      { stopAt: callback },
    );
    expect(second.url.pathname).toBe('/u/mfa-otp-challenge');
    await browser.signIn(second, tenant.demoUser, { stopAt: callback });
    expect((await app.authorize({}, browser)).url.searchParams.get('code')).not.toBeNull();
    tenant.configure({
      mfa: { action_disables: true },
      my_account: { default_policy: 'require_2fa' },
    });
    const other = createBrowser();
    const [, done] = [
      await app.authorize({}, other),
      await app.signIn({ acr_values }, { browser: other }),
    ];
    expect(claimsOf(done.id_token)).not.toHaveProperty('amr');
  });
});

describe('a sign-in that does not go through', () => {
  test('a wrong password shows the form again', async () => {
    const browser = createBrowser();
    const page = await browser.submit(await app.authorize({}, browser), {
      username: person.email,
      password: 'no',
    });
    expect([page.status, page.url.pathname, page.text.includes('Wrong email or password')]).toEqual(
      [400, '/u/login', true],
    );
  });

  test('a user who cancels, declines or is denied by an Action comes back with access_denied', async () => {
    const cancel = createBrowser();
    const login = await app.authorize({}, cancel);
    const canceled = await cancel.submit(login, {}, { button: 'cancel', stopAt: callback });
    expect(errorAt(canceled)).toEqual(['access_denied', 'User has canceled the interaction.']);

    const decline = createBrowser();
    const asked = await app.authorize({ prompt: 'consent' }, decline);
    const consent = await decline.submit(
      asked,
      { username: person.email, password: person.password },
      { stopAt: callback },
    );
    expect(consent.url.pathname).toBe('/u/consent');
    expect(
      errorAt(await decline.submit(consent, {}, { button: 'deny', stopAt: callback }))[0],
    ).toBe('access_denied');

    tenant.configure({ denied_users: { [person.email]: 'Not today.' } });
    const denied = createBrowser();
    const page = await denied.submit(
      await app.authorize({}, denied),
      { username: person.email, password: person.password },
      { stopAt: callback },
    );
    expect(errorAt(page)).toEqual(['access_denied', 'Not today.']);
  });

  test('without a client grant, with an unknown audience, silently without a session: each its own error', async () => {
    tenant.configure({ grants: [] });
    const none = `Client "app" is not authorized to access resource server "${tenant.url}/me/".`;
    expect(errorAt(await app.authorize())).toEqual(['invalid_request', none]);
    expect(errorAt(await app.authorize({ audience: 'https://nowhere.example/' }))).toEqual([
      'access_denied',
      'Service not found: https://nowhere.example/',
    ]);
    expect(
      errorAt(await app.authorize({ prompt: 'none', audience: undefined, scope: 'openid' })),
    ).toEqual(['login_required', 'Login required']);
  });

  test('where the switch says so, asking for scopes none of which is granted is access_denied, not a token without them', async () => {
    tenant.configure({ grants: [{ client_id: 'app', scope: ['read:me:factors'] }] });
    expect((await app.signIn()).scope).toBe('openid profile email offline_access');
    tenant.configure({ switches: { emptyScope: 'error' } });
    await expect(app.signIn()).rejects.toThrow('access_denied');
  });
});

describe('several at once', () => {
  test('two tabs of one browser sign in side by side', async () => {
    const browser = createBrowser();
    const [first, second] = [
      await app.authorize({ state: 'one' }, browser),
      await app.authorize({ state: 'two' }, browser),
    ];
    for (const [page, state] of [
      [second, 'two'],
      [first, 'one'],
    ] as const) {
      const back = await browser.signIn(page, person, { stopAt: callback });
      expect(back.url.searchParams.get('state')).toBe(state);
    }
  });

  test('another user may sign in over the one who is there, and gets another session id', async () => {
    const browser = createBrowser();
    const first = claimsOf((await app.signIn({}, { browser })).id_token);
    const second = claimsOf((await app.signIn({ prompt: 'login' }, { browser, person })).id_token);
    expect(second['email']).toBe(person.email);
    expect(second['sid']).not.toBe(first['sid']);
  });

  test('five refreshes of one token: one wins, and the family is dead with it', async () => {
    const { refresh_token } = await app.signIn();
    const answers = await Promise.all(
      Array.from({ length: 5 }, async () => app.refresh(refresh_token)),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 403, 403, 403, 403]);
    const winner = answers.find(({ status }) => status === 200);
    expect(await app.refresh(winner?.refresh_token)).toMatchObject({
      status: 403,
      error: 'invalid_grant',
    });
  });
});

describe('ending a session', () => {
  test('/oidc/logout asks first where the request does not name the session; then the application hears of it', async () => {
    const browser = createBrowser();
    const { sid } = claimsOf((await app.signIn({}, { browser })).id_token);
    const url = `${tenant.url}/oidc/logout?client_id=app&post_logout_redirect_uri=${encodeURIComponent(home)}`;
    const page = await browser.visit(url, { stopAt: home });
    expect(page.text).toContain('Are you sure you want to log out?');
    const back = await browser.submit(page, {}, { stopAt: home });
    expect(back.url.href).toBe(home);
    await until(() => heard.length === 1);
    expect(heard[0]).toMatchObject({ sid, aud: 'app' });
    expect((await app.authorize({ prompt: 'none' }, browser)).url.searchParams.get('error')).toBe(
      'login_required',
    );
  });

  test('/v2/logout asks nothing, and goes nowhere that is not allowed', async () => {
    const browser = createBrowser();
    await app.signIn({}, { browser });
    const evil = await browser.visit(
      `${tenant.url}/v2/logout?client_id=app&returnTo=https%3A%2F%2Fevil.example%2F`,
    );
    expect(evil.status).toBe(400);
    const back = await browser.visit(`${tenant.url}/v2/logout?client_id=app`, { stopAt: home });
    expect(back.url.href).toBe(home);
    expect((await app.authorize({}, browser)).url.pathname).toBe('/u/login');
  });

  test('refresh tokens outlive it; a revocation ends one family, or with the toggle all of the user’s', async () => {
    const [one, two, three] = [await app.signIn(), await app.signIn(), await app.signIn()];
    await control('logout', { email: tenant.demoUser.email });
    const again = await app.refresh(one.refresh_token);
    expect(again.status).toBe(200);
    const revoke = async (token: string | undefined) =>
      fetch(`${tenant.url}/oauth/revoke`, {
        method: 'POST',
        body: new URLSearchParams({
          client_id: 'app',
          client_secret: 'app-secret',
          token: token ?? '',
        }),
      });
    expect((await revoke(again.refresh_token)).status).toBe(200);
    const left = await app.refresh(two.refresh_token);
    expect(left.status).toBe(200);
    tenant.configure({ refresh_token_revocation_deletes_grant: true });
    await revoke(left.refresh_token);
    expect((await app.refresh(three.refresh_token)).status).toBe(403);
  });

  test('every initiator reaches an application that listens for it, and none that does not', async () => {
    const all = [
      'rp-logout',
      'idp-logout',
      'password-changed',
      'session-expired',
      'session-revoked',
      'account-deleted',
      'email-identifier-changed',
    ];
    for (const initiator of all) {
      await app.signIn({}, { person });
      const { deliveries } = await control('logout', { email: person.email, initiator });
      expect([initiator, deliveries]).toEqual([
        initiator,
        [expect.objectContaining({ client_id: 'app', status: 200 })],
      ]);
    }
    const [record] = tenant.settings().clients;
    tenant.configure({ clients: [{ ...record, backchannel_logout_initiators: ['rp-logout'] }] });
    await app.signIn({}, { person });
    expect(await control('logout', { email: person.email, initiator: 'session-revoked' })).toEqual({
      deliveries: [],
    });
  });

  test('a changed password, a changed address and a deleted account end it of themselves', async () => {
    for (const change of [
      async () => control(`users/${person.email}`, { password: 'Another1' }, 'PATCH'),
      async () => control('users/many@example.com', { email: 'moved@example.com' }, 'PATCH'),
      async () => control('users/moved@example.com', {}, 'DELETE'),
    ]) {
      const email =
        tenant.users.find('moved@example.com') === undefined ? person.email : 'moved@example.com';
      const password = heard.length === 0 ? person.password : 'Another1';
      await app.signIn({}, { person: { email, password } });
      const before = heard.length;
      await change();
      await until(() => heard.length === before + 1);
    }
    expect(heard).toHaveLength(3);
  });
});

/** Waits for something that happens elsewhere, two seconds at most. */
async function until(happened: () => boolean): Promise<void> {
  for (let turn = 0; turn < 200 && !happened(); turn += 1)
    await new Promise((resolve) => setTimeout(resolve, 10));
  expect(happened()).toBe(true);
}
