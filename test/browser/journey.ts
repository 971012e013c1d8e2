import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { keepAnswers, openWindow, shoot, startChromium } from '../helpers/chromium.ts';
import { createEvidence, type Evidence, type Leak } from '../helpers/evidence.ts';
import { totp } from '../helpers/totp.ts';

/** A gateway, or several, that a browser meets at one address. */
export interface Stage {
  readonly origin: string;
  readonly user: { readonly email: string; readonly password: string; readonly totpSecret: string };
  /**
   * Adds what was written to logs and metrics meanwhile; the browser's side is added by the
   * journey.
   */
  gather(evidence: Evidence): Promise<void>;
  /** Secrets known to have been in play, by what they are. */
  secrets(): ReadonlyMap<string, string>;
  close(): Promise<void>;
}

/**
 * What the product is for, lived through in a browser from signing in to signing out, on whatever
 * stage it is set.
 */
export function liveThrough(
  name: string,
  setStage: () => Promise<Stage>,
  more: (stage: () => Stage) => void = () => undefined,
): void {
  describe(name, () => {
    const evidence = createEvidence();
    const slug = name.toLowerCase().replaceAll(/[^a-z]+/g, '-');
    let stage: Stage;
    let browser: Browser;
    let page: Page;
    let complaints: string[];
    const part = (test: string) => page.locator(`[data-test="${test}"]`);
    const apps = () => page.locator('[data-test="method-row"][data-type="totp"]');
    const picture = (step: string) => shoot(page, `${slug}-${step}`);

    beforeAll(async () => {
      stage = await setStage();
      browser = await startChromium();
      ({ page, complaints } = await openWindow(browser));
      keepAnswers(page, stage.origin, evidence);
    });
    afterAll(async () => {
      await browser.close();
      await stage.close();
    });

    test('a stranger sees a way in and nothing private', async () => {
      await page.goto(stage.origin);
      await part('sign-in').waitFor();
      await picture('1-signed-out');
      expect(await page.textContent('body')).not.toContain(stage.user.email);
    });

    test('signing in with the form leads back to the list of methods', async () => {
      await part('sign-in').click();
      await page.fill('[name=username]', stage.user.email);
      await page.fill('[name=password]', stage.user.password);
      await picture('2-sign-in-form');
      await page.locator('button[type=submit]').first().click();
      await part('method-list').waitFor();
      await picture('3-methods');
      expect(new URL(page.url()).origin).toBe(stage.origin);
      expect(await page.textContent('body')).toContain(stage.user.email);
      expect(await apps().count()).toBe(1);
    });

    test('the cookie is one small one that no script can read', async () => {
      const cookies = await page.context().cookies(stage.origin);
      expect(cookies.map((cookie) => cookie.name)).toEqual(['my_account_session']);
      expect(cookies[0]).toMatchObject({ httpOnly: true, sameSite: 'Lax' });
      expect((cookies[0]?.value ?? '').length).toBeLessThan(200);
      expect(await page.evaluate('document.cookie')).toBe('');
    });

    test('adding an authenticator app asks for a second factor on the way, and then goes through', async () => {
      await part('add-totp').click();
      await part('continue-step-up').waitFor();
      await picture('4-step-up-notice');
      await part('continue-step-up').click();
      await page.waitForURL(/\/u\/mfa-otp-challenge/);
      await picture('5-second-factor');
      await page.fill('[name=code]', totp(stage.user.totpSecret));
      await page.locator('button[type=submit]').first().click();
      await part('totp-dialog').waitFor();
      await picture('6-authenticator-app');
      const secret = (await part('totp-secret').textContent()) ?? '';
      await part('totp-code').fill(totp(secret));
      await part('totp-confirm').click();
      await apps().nth(1).waitFor();
      await picture('7-added');
      expect(await apps().count()).toBe(2);
      expect(await apps().nth(1).getAttribute('data-confirmed')).toBe('true');
    });

    test('it is renamed and removed again without being asked for anything more', async () => {
      await apps().nth(1).locator('[data-test=rename]').click();
      await part('rename-name').fill('Work phone');
      await part('rename-save').click();
      await apps().filter({ hasText: 'Work phone' }).waitFor();
      await apps().filter({ hasText: 'Work phone' }).locator('[data-test=remove]').click();
      await part('confirm-remove').waitFor();
      await picture('8-remove');
      await part('confirm-remove').click();
      await apps().nth(1).waitFor({ state: 'detached' });
      await picture('9-removed');
      expect(await apps().count()).toBe(1);
    });

    test('after signing out, the back button shows nothing private', async () => {
      await part('sign-out').click();
      await part('sign-in').waitFor();
      await picture('10-signed-out');
      let seen = 0;
      for (let step = 0; step < 8 && page.url() !== 'about:blank'; step++) {
        await page.goBack({ waitUntil: 'domcontentloaded' }).catch(() => null);
        await page.waitForTimeout(300);
        if (!page.url().startsWith(stage.origin)) continue;
        seen += 1;
        if (seen === 1) await picture('11-back-button');
        expect(await part('method-list').count()).toBe(0);
        expect(await page.textContent('body')).not.toContain(stage.user.email);
      }
      expect(seen).toBeGreaterThan(0);
      await page.goto(stage.origin);
      expect(
        await page.evaluate(
          'Object.keys(sessionStorage).length + Object.keys(localStorage).length',
        ),
      ).toBe(0);
    });

    more(() => stage);

    test('the page reported no problem of its own, and its policy none either', () => {
      expect(complaints).toEqual([]);
    });

    test('no token, code or secret stands in any answer, header, log line or metric', async () => {
      await stage.gather(evidence);
      expect(evidence.size()).toBeGreaterThan(10_000);
      // The one exception: on the way out the ID token goes to its own issuer as a hint
      // (RP-Initiated Logout 1.0, section 2).
      const hint = ({ where, what }: Leak) =>
        where === 'headers of GET /auth/logout' && /^(id_token|a JSON Web Token)/.test(what);
      expect(evidence.tokens().filter((leak) => !hint(leak))).toEqual([]);
      expect(evidence.find(stage.secrets()).filter((leak) => !hint(leak))).toEqual([]);
    });
  });
}
