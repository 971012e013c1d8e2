import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { openWindow, startChromium } from '../helpers/chromium.ts';
import type { Credentials } from '../helpers/person.ts';
import { startWorld, type World } from '../helpers/world.ts';

const scope = [
  'openid profile email offline_access',
  ...['authentication_methods', 'connected_accounts'].flatMap((kind) =>
    ['read', 'create', 'update', 'delete'].map((verb) => `${verb}:me:${kind}`),
  ),
  'read:me:factors',
].join(' ');

let browser: Browser;
let world: World;
let two: Credentials;
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
  two = { email: 'two@example.com', password: 'the-password-of-two-1' };
  world.tenant.users.add({
    ...two,
    methods: [{ type: 'totp', secret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP', name: 'Tablet of two' }],
  });
});
afterAll(async () => {
  await browser.close();
  await world.close();
});

const answer = async (page: Page, { email, password }: Credentials): Promise<void> => {
  await page.fill('[name=username]', email);
  await page.fill('[name=password]', password);
  await page.locator('button[type=submit]').first().click();
  await page.locator('[data-test="method-list"]').waitFor();
};

/** Notes in `window.mixed` whenever the page shows user one beside what is user two's. */
const watchFor = (one: string): string => `
  window.mixed = false;
  new MutationObserver(() => {
    const text = document.body?.innerText ?? '';
    if (text.includes(${JSON.stringify(one)}) && text.includes('Tablet of two')) window.mixed = true;
  }).observe(document, { subtree: true, childList: true, characterData: true });
`;

describe('User two signs in in a second tab while the first shows user one', () => {
  let context: BrowserContext | undefined;
  let first: Page;
  let second: Page;
  let complaints: string[];
  const part = (page: Page, name: string) => page.locator(`[data-test="${name}"]`);

  beforeEach(async () => {
    await context?.close();
    ({ page: first, complaints } = await openWindow(browser));
    context = first.context();
    await first.addInitScript(watchFor(world.user.email));
    // What the gateway tells by itself is held back: the tab is to find out when it acts.
    await first.route('**/auth/events', (route) => route.abort());
    await first.goto(world.origin);
    await part(first, 'sign-in').click();
    await answer(first, world.user);
    await part(first, 'session-row').first().waitFor();
    second = await context.newPage();
    second.setDefaultTimeout(10_000);
    await second.goto(`${world.origin}/auth/login?prompt=login`);
    await answer(second, two);
  });
  afterAll(async () => context?.close());

  const changes = () =>
    world.tenant
      .requests()
      .filter(({ path, method }) => path.startsWith('/me/') && method !== 'GET');

  /** The first tab says who is here now, shows nothing of user one, and did nothing for user two. */
  const startsOver = async (): Promise<void> => {
    await part(first, 'user-changed').waitFor();
    await part(first, 'user-changed').getByText('two@example.com').waitFor();
    expect(await first.textContent('body')).not.toContain(world.user.email);
    expect(await first.evaluate('window.mixed')).toBe(false);
    expect(await first.evaluate('document.activeElement.tagName')).toBe('H1');
    await part(first, 'show-account').click();
    await first.locator('[data-test="method-row"]', { hasText: 'Tablet of two' }).waitFor();
    expect(await first.textContent('[data-test="profile"]')).toContain('two@example.com');
    expect(await first.evaluate('window.mixed')).toBe(false);
    expect(complaints).toEqual([]);
  };

  test.each<[string, () => Promise<void>]>([
    ['Reload', () => part(first, 'reload').click()],
    [
      'Rename',
      async () => {
        await part(first, 'rename').first().click();
        await part(first, 'rename-name').fill('Mine');
        await part(first, 'rename-save').click();
      },
    ],
    [
      'Remove',
      async () => {
        await part(first, 'remove').first().click();
        await part(first, 'confirm-remove').click();
      },
    ],
    ['Add', () => part(first, 'add-recovery-code').click()],
    ['Stay signed in', () => part(first, 'stay-signed-in').first().click()],
    ['Show connected accounts', () => part(first, 'show-accounts').click()],
  ])('%s in the first tab starts it over, and does nothing', async (_name, act) => {
    const before = changes().length;
    await act();
    await startsOver();
    expect(changes()).toHaveLength(before);
    expect(await second.locator('[data-test="method-row"]').allTextContents()).toEqual(
      expect.arrayContaining([expect.stringContaining('Tablet of two')]),
    );
  });

  test('the first tab starts over by itself when it is looked at again', async () => {
    await first.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`);
    await startsOver();
  });

  test('signing out in the first tab does not sign user two out: a page says why', async () => {
    await part(first, 'sign-out').click();
    await first.getByText('Somebody else is signed in').waitFor();
    await second.reload();
    await part(second, 'method-list').waitFor();
    expect(await second.textContent('[data-test="profile"]')).toContain('two@example.com');
  });
});
