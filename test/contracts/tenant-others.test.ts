import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startTenant, type Tenant } from '../../src/tenant/index.ts';
import { createBrowser } from '../helpers/browser-jar.ts';
import { startProgram } from '../helpers/process.ts';

let tenant: Tenant;
let application: ChildProcess;
let site = '';

beforeAll(async () => {
  application = fork(join(import.meta.dirname, 'other-application.ts'), { execArgv: [] });
  [site] = (await once(application, 'message')) as [string];
  tenant = await startTenant({
    clients: [
      {
        client_id: 'other',
        client_secret: 'other-secret',
        callbacks: [`${site}/callback`],
        allowed_logout_urls: [site],
      },
    ],
  });
  application.send(tenant.url);
  await once(application, 'message');
});
afterAll(async () => {
  await tenant.close();
  const ended = once(application, 'exit');
  application.disconnect();
  await ended;
});

describe('express-openid-connect, which this project did not write, with its example configuration', () => {
  const browser = createBrowser();

  test('signs in, consent included', async () => {
    expect((await browser.visit(site)).text).toBe('Logged out');
    const back = await browser.signIn(await browser.visit(`${site}/login`), tenant.demoUser);
    expect([back.url.href, back.text]).toEqual([`${site}/`, 'Logged in']);
  });

  test('reads the API, refreshes its token, reads again', async () => {
    const first = JSON.parse((await browser.visit(`${site}/methods`)).text) as {
      token: string;
      answer: object;
    };
    expect(first.answer).toMatchObject({
      authentication_methods: [{ type: 'password' }, { type: 'totp' }],
    });
    const second = JSON.parse(
      (await browser.visit(`${site}/methods?refresh=1`)).text,
    ) as typeof first;
    expect(second.answer).toEqual(first.answer);
    expect(second.token).not.toBe(first.token);
  });

  test('reads /userinfo', async () => {
    expect(JSON.parse((await browser.visit(`${site}/who`)).text)).toMatchObject({
      email: tenant.demoUser.email,
      name: 'Demo User',
    });
  });

  test('signs out by way of /v2/logout, at the tenant as well', async () => {
    const away = await browser.visit(`${site}/logout`);
    expect([away.url.href, away.text]).toEqual([`${site}/`, 'Logged out']);
    expect((await browser.visit(`${site}/login`)).url.pathname).toBe('/u/login');
  });
});

interface Ready {
  tenant: string;
  client_id: string;
  user: { email: string };
}

describe('npm run tenant', () => {
  test('says in one line where it is, and ends when asked', async () => {
    const running = await startProgram<Ready>([
      'tenant',
      '--port',
      '0',
      '--json',
      '--plan',
      'free',
      '--control',
    ]);
    expect(running.ready).toMatchObject({
      client_id: 'my-account-bff',
      user: { email: 'demo@example.com' },
    });
    const settings = (await (await fetch(`${running.ready.tenant}/_control/settings`)).json()) as {
      plan: string;
    };
    expect(settings.plan).toBe('free');
    expect(await running.stop()).toBe(0);
  });
});
