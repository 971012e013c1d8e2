import { findClient } from '../oidc/clients.ts';
import { consentKey } from '../oidc/logins.ts';
import { sendPage } from '../http/answer.ts';
import { fail, finish, requested, type Page } from './interactions.ts';
import { escape, hidden, layout } from '../http/layout.ts';

/**
 * `/u/consent`: the user agrees to what the application asks for, once for each scope, or declines
 * the whole.
 */
export const consentPage: Page = async (visit) => {
  const { parts, interaction, form, response } = visit;
  const userId = interaction.session?.accountId ?? '';
  const clientId = requested(visit, 'client_id') ?? '';
  const wanted = (requested(visit, 'scope') ?? '').split(' ').filter(Boolean);
  const audience = requested(visit, 'audience');
  if (form === undefined) {
    const client = findClient(parts.state.settings(), clientId);
    const body = `<p><strong>${escape(client?.name ?? clientId)}</strong> is requesting access to your account.</p>
<ul>${wanted.map((scope) => `<li><code>${escape(scope)}</code></li>`).join('')}</ul>
<form method="post" action="/u/consent">${hidden('state', interaction.uid)}
<button type="submit" name="action" value="accept">Accept</button>
<button type="submit" class="quiet" name="action" value="deny">Decline</button></form>`;
    sendPage(response, 200, layout('Authorize App', body));
    return;
  }
  if (form['action'] !== 'accept')
    return fail(visit, 'access_denied', 'User did not authorize the request');
  const key = consentKey(userId, clientId);
  const agreed = parts.logins.consents.get(key) ?? new Set<string>();
  for (const scope of wanted) {
    agreed.add(`openid ${scope}`);
    if (audience !== undefined) agreed.add(`${audience} ${scope}`);
  }
  parts.logins.consents.set(key, agreed);
  await finish(visit, { consent: {} });
};
