import type { IncomingMessage, ServerResponse } from 'node:http';
import { escape, hidden, layout } from '../../http/layout.ts';
import type { State } from '../../state/state.ts';
import type { Connecting, ConnectingStore } from './connecting.ts';

/**
 * Answers `connect_uri` of an account connection: where a real tenant would send the browser on to
 * Google or GitHub.
 */
export type ProviderPage = (
  request: IncomingMessage & { originalUrl?: string },
  response: ServerResponse,
) => Promise<void>;

/**
 * The page of a pretend provider, a plain form: the user says as whom, allows or denies, and goes
 * back to `redirect_uri` with `connect_code`, or with `error` and `error_description`.
 */
export function createProviderPage(state: State, store: ConnectingStore): ProviderPage {
  return async (request, response) => {
    const url = new URL(request.originalUrl ?? request.url ?? '/', state.origin);
    const form = request.method === 'POST' ? new URLSearchParams(await read(request)) : undefined;
    const connecting = store.byTicket(form?.get('ticket') ?? url.searchParams.get('ticket') ?? '');
    if (!connecting) {
      send(
        response,
        400,
        layout(
          'This connection has ended',
          '<p>The ticket is not known or has expired. Go back to the application and begin again.</p>',
        ),
      );
    } else if (form) {
      const allowed = form.get('answer') === 'allow';
      const back = new URL(connecting.redirectUri);
      if (allowed) {
        back.searchParams.set('connect_code', store.agree(connecting, form.get('login') ?? ''));
      } else {
        store.end(connecting);
        back.searchParams.set('error', 'access_denied');
        back.searchParams.set('error_description', 'The user denied the connection.');
      }
      if (connecting.state !== undefined) back.searchParams.set('state', connecting.state);
      response.writeHead(303, { Location: back.href, 'Cache-Control': 'no-store' }).end();
    } else {
      send(response, 200, consent(connecting, state.users.get(connecting.userId)?.email ?? ''));
    }
  };
}

async function read(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request as AsyncIterable<Buffer>)
    if ((text += chunk.toString('latin1')).length > 20_000) break;
  return text;
}

function send(response: ServerResponse, status: number, html: string): void {
  response
    .writeHead(status, {
      'Content-Type': 'text/html; charset=utf-8',
      'Cache-Control': 'no-store',
      'Referrer-Policy': 'no-referrer',
    })
    .end(html);
}

function consent({ connection, scopes, ticket }: Connecting, email: string): string {
  const list = scopes.map((scope) => `<li>${escape(scope)}</li>`).join('');
  return layout(
    `Connect ${connection}`,
    `<p>This stands in for ${escape(connection)}. The application asks for:</p><ul>${list}</ul>
<form method="post">${hidden('ticket', ticket)}
<label for="login">Account at ${escape(connection)}</label><input id="login" name="login" value="${escape(email)}" required>
<button name="answer" value="allow">Allow</button><button class="quiet" name="answer" value="deny" formnovalidate>Deny</button></form>`,
  );
}
