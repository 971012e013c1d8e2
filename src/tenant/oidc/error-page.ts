import { randomBytes } from 'node:crypto';
import type { ErrorOut, KoaContextWithOIDC } from 'oidc-provider';
import { escape, layout } from '../http/layout.ts';
import type { State } from '../state/state.ts';

/** What Auth0 says in place of oidc-provider's words, for errors that go to no callback. */
function inAuth0sWords(out: ErrorOut, clientId: string) {
  if (out.error === 'invalid_redirect_uri') {
    const list = 'The provided redirect_uri is not in the list of allowed callback URLs.';
    const description = `Callback URL mismatch. ${list}`;
    return {
      status: 403,
      error: 'unauthorized_client',
      description,
      title: 'Callback URL mismatch',
    };
  }
  const title = 'Oops!, something went wrong';
  // The status of the page for an unknown application is UNCONFIRMED.
  if (out.error === 'invalid_client')
    return { error: 'invalid_request', description: `Unknown client: ${clientId}`, title };
  return { error: out.error, description: out.error_description ?? out.error, title };
}

/**
 * Shows failures that must not be sent to a redirect_uri, such as one that is not registered:
 * Auth0's page with `code : description` and a tracking id, or the tenant's own page, which gets
 * them as parameters.
 */
export function errorPage({ settings }: State) {
  return (ctx: KoaContextWithOIDC, out: ErrorOut): void => {
    const asked = ctx.query['client_id'];
    const clientId = typeof asked === 'string' ? asked : '';
    const { status, error, description, title } = inAuth0sWords(out, clientId);
    const tracking = randomBytes(10).toString('hex');
    const own = settings().error_page?.url;
    if (own !== undefined) {
      const url = new URL(own);
      const members = { client_id: clientId, error, error_description: description, tracking };
      for (const [name, value] of Object.entries(members))
        if (value !== '') url.searchParams.set(name, value);
      ctx.redirect(url.href);
      return;
    }
    if (status !== undefined) ctx.status = status;
    ctx.type = 'html';
    const details = `<p><code>${escape(`${error} : ${description}`)}</code></p>`;
    ctx.body = layout(title, `${details}<p>Tracking ID: <code>${tracking}</code></p>`);
  };
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
