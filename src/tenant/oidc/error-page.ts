import type { ErrorOut, KoaContextWithOIDC } from 'oidc-provider';
import { escape, layout } from '../http/layout.ts';

/**
 * The page for failures that must not be sent to a redirect_uri, such as one that is not registered
 * (status of the failure).
 */
export function errorPage(ctx: KoaContextWithOIDC, out: ErrorOut): void {
  const mismatch = out.error === 'invalid_redirect_uri';
  const title = mismatch ? 'Callback URL mismatch' : 'Oops!, something went wrong';
  const text = mismatch
    ? 'Callback URL mismatch. The provided redirect_uri is not in the list of allowed callback URLs.'
    : (out.error_description ?? out.error);
  ctx.type = 'html';
  ctx.body = layout(title, `<p>${escape(text)}</p><p><code>${escape(out.error)}</code></p>`);
}

/**
 * Auth0 asks before it ends a session when the request does not prove to come from an application
 * the user is signed in to.
 */
export function confirmLogoutPage(ctx: KoaContextWithOIDC, form: string): void {
  ctx.type = 'html';
  ctx.body = layout(
    'Log out',
    `<p>Are you sure you want to log out?</p>${form}<button type="submit" form="op.logoutForm" name="logout" value="yes">Yes, log out</button>`,
  );
}
