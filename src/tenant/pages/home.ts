import type { Settings } from '../state/settings.ts';
import { escape, layout } from '../http/layout.ts';

/** The demo user, as a person or a script needs them. */
export interface DemoUser {
  email: string;
  password: string;
  totpSecret: string;
}

/** The page at `/`: what this tenant is and how to sign in. */
export function homePage(
  origin: string,
  settings: Settings,
  demo: DemoUser,
  control: boolean,
): string {
  const row = (name: string, value: string): string =>
    `<tr><th>${escape(name)}</th><td><code>${escape(value)}</code></td></tr>`;
  const clients = settings.clients.map(({ client_id, name, callbacks }) =>
    row(client_id, `${name}: ${callbacks.join(' ') || 'no callbacks'}`),
  );
  const person =
    row('user', demo.email) +
    row('password', demo.password) +
    row('authenticator secret', demo.totpSecret);
  return layout(
    'An Auth0 tenant on this machine',
    `<p>It answers as an Auth0 tenant with the My Account API activated does, for development and tests. Nothing here is real.</p>
<table>${row('domain', new URL(origin).host)}${row('audience', `${origin}/me/`)}${row('plan', settings.plan)}${person}</table>
<h2>Applications</h2><table>${clients.join('')}</table>
<p>To sign in, start from an application. The OpenID Connect metadata is at
<a href="/.well-known/openid-configuration">/.well-known/openid-configuration</a>, the API under <code>/me/v1</code>.</p>
<p>${control ? 'Settings, users, faults and the request log: <a href="/_control/settings">/_control/settings</a>, <a href="/_control/requests">/_control/requests</a>.' : 'Control is off; start with <code>--control</code> to have it.'}</p>`,
    'wide',
  );
}
