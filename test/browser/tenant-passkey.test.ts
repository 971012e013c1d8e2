import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { startTenant, type Tenant } from '../../src/tenant/index.ts';
import { openWindow, startChromium } from '../helpers/chromium.ts';
import { createApplication } from '../helpers/tenant-application.ts';

let browser: Browser;
let tenant: Tenant;
let site: Server;

beforeAll(async () => {
  site = createServer((_, response) =>
    response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>A page</title>'),
  );
  await new Promise<void>((resolve) => site.listen(0, 'localhost', resolve));
  [browser, tenant] = await Promise.all([startChromium(), startTenant({ clients: [app.client] })]);
});
afterAll(async () => {
  await Promise.all([browser.close(), tenant.close()]);
  site.closeAllConnections();
  site.close();
});

const app = createApplication();

test('Chromium makes a passkey from the creation options as they come, and the tenant takes its attestation', async () => {
  app.use(tenant);
  const { access_token: token } = await app.signIn({
    scope: 'openid create:me:authentication_methods',
  });
  const call = async (path: string, body: object) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const response = await fetch(`${tenant.url}/me/v1${path}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const { page } = await openWindow(browser);
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
    },
  });
  await page.goto(`http://localhost:${(site.address() as AddressInfo).port}/`);

  const started = await call('/authentication-methods', { type: 'passkey' });
  const options = JSON.stringify(started.body['authn_params_public_key']);
  const authn_response: unknown = await page.evaluate(`(async () => {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(${options});
    const { id, rawId, type, authenticatorAttachment, clientExtensionResults, response } = (await navigator.credentials.create({ publicKey })).toJSON();
    const { attestationObject, clientDataJSON, transports } = response;
    return { id, rawId, type, authenticatorAttachment, clientExtensionResults, response: { attestationObject, clientDataJSON, transports } };
  })()`);
  const verified = await call('/authentication-methods/passkey%7Cnew/verify', {
    auth_session: started.body['auth_session'],
    authn_response,
  });
  expect(verified).toMatchObject({
    status: 201,
    body: { type: 'passkey', relying_party_id: 'localhost', transports: ['internal'] },
  });
});

test('a passkey signs in at the tenant’s own page', async () => {
  const domain = `localhost:${new URL(tenant.url).port}`;
  tenant.configure({ custom_domains: [domain] });
  const { access_token: token } = await app.signIn({
    scope: 'openid create:me:authentication_methods',
  });
  const call = async (path: string, body: object) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const response = await fetch(`${tenant.url}/me/v1${path}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
    return (await response.json()) as Record<string, unknown>;
  };
  const { page } = await openWindow(browser);
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
    },
  });
  const { auth_session, authn_params_public_key } = await call('/authentication-methods', {
    type: 'passkey',
  });
  await page.goto(`http://${domain}/`);
  const authn_response: unknown = await page.evaluate(`(async () => {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(${JSON.stringify(authn_params_public_key)});
    const { id, rawId, type, response } = (await navigator.credentials.create({ publicKey })).toJSON();
    return { id, rawId, type, response: { attestationObject: response.attestationObject, clientDataJSON: response.clientDataJSON } };
  })()`);
  expect(
    await call('/authentication-methods/passkey%7Cnew/verify', { auth_session, authn_response }),
  ).toMatchObject({ type: 'passkey' });

  const callback = app.client.callbacks?.[0] ?? '';
  const query = new URLSearchParams({
    client_id: 'app',
    response_type: 'code',
    scope: 'openid',
    redirect_uri: callback,
    state: 's',
  });
  await page.goto(`http://${domain}/authorize?${query.toString()}`);
  // Nobody listens at the callback: that the browser goes there is what matters.
  const [back] = await Promise.all([
    page.waitForRequest((request) => request.url().startsWith(callback)),
    page.getByRole('button', { name: 'Continue with a passkey' }).click({ noWaitAfter: true }),
  ]);
  expect(new URL(back.url()).searchParams.get('code')).toMatch(/^.{20,}$/);
});
