import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { openWindow, startChromium } from '../helpers/chromium.ts';
import { startWorld, type World } from '../helpers/world.ts';

const scope = `openid profile email offline_access read:me:authentication_methods read:me:factors ${[
  'read',
  'create',
  'delete',
]
  .map((verb) => `${verb}:me:connected_accounts`)
  .join(' ')}`;

let browser: Browser;
let world: World;
let page: Page;
let complaints: string[];
beforeAll(async () => {
  [browser, world] = await Promise.all([
    startChromium(),
    startWorld({
      settings: {
        AUTH0_SCOPE: scope,
        WEB_ROOT: join(import.meta.dirname, '../../dist/page'),
        RATE_LIMIT_USER_READ: '1000',
        RATE_LIMIT_USER_WRITE: '1000',
      },
      tenant: { limits: { enforced: false } },
    }),
  ]);
});
afterAll(async () => {
  await browser.close();
  await world.close();
});

const part = (name: string) => page.locator(`[data-test="${name}"]`);

/** A person whose list of accounts was read before, and who goes to connect one. */
beforeEach(async () => {
  ({ page, complaints } = await openWindow(browser));
  const email = `someone${Math.random()}@example.com`;
  world.tenant.users.add({ email, password: 'the-password-of-someone-1' });
  await page.goto(world.origin);
  await part('sign-in').click();
  await page.fill('[name=username]', email);
  await page.fill('[name=password]', 'the-password-of-someone-1');
  await page.locator('button[type=submit]').first().click();
  await connect();
});

const connect = async (): Promise<void> => {
  await part('show-accounts').click();
  await part('connect-account').click();
  await part('connect-google-oauth2').click();
  await page.waitForURL(/connected-accounts\/connect/);
};
const answer = async (choice: 'allow' | 'deny', login = 'me@provider.example'): Promise<void> => {
  await page.fill('[name=login]', login);
  await page.locator(`button[value=${choice}]`).click();
};

test('an account that was connected is said, listed and in view, and the address is as it was', async () => {
  await answer('allow');
  await part('status').getByText('Google is connected.').waitFor();
  await part('account-row').waitFor();
  expect(await page.textContent('body')).not.toContain('No account is connected');
  expect(await part('account-row').count()).toBe(1);
  expect(await page.evaluate('document.activeElement.dataset.test')).toBe('account-row');
  expect(await page.evaluate('location.search')).toBe('');
  await page.reload();
  await part('show-accounts').waitFor();
  expect(await part('status').count()).toBe(0);
  expect(complaints).toEqual([]);
});

test('one that was cancelled at the provider is said not to be connected', async () => {
  await answer('deny');
  await page.getByRole('link').click();
  await part('error').getByText('Google was not connected.').waitFor();
  await page.getByText('No account is connected.').waitFor();
  expect(await page.evaluate('location.search')).toBe('');
});

test('one that was connected before is said to be so', async () => {
  await answer('allow');
  await part('account-row').waitFor();
  await part('connect-account').click();
  await part('connect-google-oauth2').click();
  await page.waitForURL(/connected-accounts\/connect/);
  await answer('allow');
  await page.getByRole('link').click();
  await part('status').getByText('Google is already connected.').waitFor();
  expect(await part('account-row').count()).toBe(1);
});

test('going back from the provider says nothing of an account that was never asked for', async () => {
  await page.goBack();
  await part('show-accounts').waitFor();
  await part('method-list').or(part('no-methods')).waitFor();
  expect(await part('status').count()).toBe(0);
});
