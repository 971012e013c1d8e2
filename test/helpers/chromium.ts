import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import type { Evidence } from './evidence.ts';

const shots = join(import.meta.dirname, '../../.cache/screenshots');

// As root Chromium needs --no-sandbox; the rest keeps it from calling anywhere by itself.
const flags = [
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];

/** Starts the Chromium that CHROMIUM names (else `chromium` of the PATH), headless, with a fresh profile and these flags more. The caller closes it. */
export async function startChromium(...more: string[]): Promise<Browser> {
  const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
  return chromium.launch({ executablePath, args: [...flags, ...more], timeout: 30_000 });
}

/** A window of its own, with its own cookies. Problems the page reports are kept in `complaints`. */
export async function openWindow(browser: Browser): Promise<{ page: Page; complaints: string[] }> {
  const context = await browser.newContext({ viewport: { width: 1100, height: 850 } });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    // A refused request is reported by the browser itself: 401 and 403 are part of signing in and stepping up.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      complaints.push(message.text());
  });
  return { page, complaints };
}

/** Keeps a picture of the window as .cache/screenshots/NAME.png, to be looked at. */
export async function shoot(page: Page, name: string): Promise<void> {
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
}

/** Keeps every answer a window gets from this origin: URL, status line, headers and body. */
export function keepAnswers(page: Page, origin: string, evidence: Evidence): void {
  page.on('response', (response) => {
    if (!response.url().startsWith(`${origin}/`)) return;
    const where = `${response.request().method()} ${new URL(response.url()).pathname}`;
    void (async () => {
      const headers = await response.allHeaders().catch(() => ({}));
      evidence.add(`headers of ${where}`, JSON.stringify(headers));
      evidence.add(`body of ${where}`, await response.text().catch(() => ''));
    })();
  });
}
