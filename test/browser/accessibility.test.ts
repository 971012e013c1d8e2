import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { startChromium } from '../helpers/chromium.ts';
import { startProgram, type Running } from '../helpers/process.ts';
import { totp } from '../helpers/totp.ts';

interface Ready {
  gateway: string;
  user: { email: string; password: string; totpSecret: string };
}

interface Found {
  id: string;
  help: string;
  nodes: { target: string[] }[];
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
// WCAG 2.2 A and AA, and what axe holds for good practice besides. `evaluate` is the debugger's:
// the page's own policy would refuse the script.
const run = `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }).then(({ violations }) => violations)`;

async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const found = await page.evaluate<Found[]>(run);
  return found.map(
    ({ id, help, nodes }) =>
      `${id}: ${help} (${nodes.map(({ target }) => target.join(' ')).join(', ')})`,
  );
}

describe.each([
  { colorScheme: 'light' as const, width: 1180 },
  { colorScheme: 'dark' as const, width: 320 },
])('The account page, $colorScheme and $width px wide', ({ colorScheme, width }) => {
  let demo: Running<Ready>;
  let browser: Browser;
  let page: Page;
  const part = (test: string) => page.locator(`[data-test="${test}"]`);
  const overflow = (): Promise<number> =>
    page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
  const holds = async (): Promise<void> => {
    expect(await violations(page)).toEqual([]);
    expect(await overflow()).toBeLessThanOrEqual(0);
  };

  beforeAll(async () => {
    demo = await startProgram<Ready>(['demo', '--json', '--port', '0']);
    browser = await startChromium();
    const context = await browser.newContext({
      colorScheme,
      reducedMotion: 'reduce',
      viewport: { width, height: 800 },
    });
    page = await context.newPage();
    page.setDefaultTimeout(10_000);
  });
  afterAll(async () => {
    await browser.close();
    await demo.stop();
  });

  test('has nothing in the way of anyone before signing in', async () => {
    await page.goto(demo.ready.gateway);
    await part('sign-in').waitFor();
    await holds();
  });

  test('has nothing in the way of anyone once signed in', async () => {
    await part('sign-in').press('Enter');
    await page.fill('[name=username]', demo.ready.user.email);
    await page.fill('[name=password]', demo.ready.user.password);
    await page.keyboard.press('Enter');
    await part('add-totp').waitFor();
    await part('session-row').first().waitFor();
    await holds();
  });

  test('asks for a confirmation in a dialog that the keyboard opens and leaves, back where it was', async () => {
    await part('add-totp').press('Enter');
    await part('step-up-notice').waitFor();
    await holds();
    await page.keyboard.press('Escape');
    await part('step-up-notice').waitFor({ state: 'detached' });
    expect(await page.evaluate('document.activeElement.dataset.test')).toBe('add-totp');
  });

  test('shows the new key, and what is wrong with a code, to everyone', async () => {
    await part('add-totp').press('Enter');
    await part('continue-step-up').press('Enter');
    await page.fill('[name=code]', totp(demo.ready.user.totpSecret));
    await page.keyboard.press('Enter');
    await part('totp-secret').waitFor();
    expect(await page.evaluate('document.activeElement.dataset.test')).toBe('totp-code');
    expect(await part('totp-code').getAttribute('autocomplete')).toBe('one-time-code');
    await holds();
    await part('totp-code').fill('12');
    await page.keyboard.press('Enter');
    await part('error').waitFor();
    expect(await part('totp-code').getAttribute('aria-invalid')).toBe('true');
    await holds();
    await part('totp-code').fill(totp((await part('totp-secret').textContent()) ?? ''));
    await page.keyboard.press('Enter');
    await part('status').waitFor();
    await holds();
  });

  test('renames and removes by keyboard, and the focus is never lost', async () => {
    await part('rename').first().press('Enter');
    await part('rename-name').waitFor();
    await holds();
    await part('rename-name').fill('Kitchen tablet');
    await page.keyboard.press('Enter');
    await part('rename-dialog').waitFor({ state: 'detached' });
    expect(await page.evaluate('document.activeElement.dataset.test')).toBe('rename');
    await page
      .locator('[data-test="method-row"]', { hasText: 'Kitchen tablet' })
      .locator('[data-test="remove"]')
      .press('Enter');
    await part('confirm-remove').waitFor();
    await holds();
    expect(await page.evaluate('document.activeElement.dataset.test')).toBe('cancel');
    await part('confirm-remove').press('Enter');
    await part('remove-dialog').waitFor({ state: 'detached' });
    expect(await page.evaluate('document.activeElement.id')).toBe('methods-title');
  });
});
