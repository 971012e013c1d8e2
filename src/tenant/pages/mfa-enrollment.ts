import { newMethodId, newTotpSecret } from '../state/new-user.ts';
import { enrolled, mfaPath } from '../second-factor/kinds.ts';
import { isTotpCode } from '../second-factor/prove.ts';
import { redirect, sendPage } from '../http/answer.ts';
import { fail, type Page } from './interactions.ts';
import { escape, hidden, layout, problemLine } from '../http/layout.ts';
import { passed } from './mfa.ts';

/**
 * `/u/mfa-otp-enrollment`: a user without a second factor sets one up on the way, as Auth0 has it.
 */
export const enrollmentPage: Page = async (visit) => {
  const { parts, interaction, form, response } = visit;
  const user = parts.state.users.get(interaction.session?.accountId ?? '');
  if (user === undefined || enrolled(user).length > 0) {
    redirect(
      response,
      `${mfaPath(user, interaction.prompt.reasons)}?state=${encodeURIComponent(interaction.uid)}`,
    );
    return;
  }
  if (form?.['action'] === 'cancel')
    return fail(visit, 'access_denied', 'User has canceled the interaction.');
  const secret = form?.['secret'] ?? newTotpSecret();
  const code = form?.['code'];
  if (code !== undefined && isTotpCode(secret, code.trim())) {
    const at = parts.state.clock.iso();
    const view = {
      id: newMethodId('totp'),
      type: 'totp' as const,
      created_at: at,
      usage: ['secondary' as const],
      confirmed: true,
      last_auth_at: at,
    };
    user.methods.push({ view, secrets: { totpSecret: secret } });
    return passed(visit);
  }
  const body = `${problemLine(code === undefined ? undefined : 'The code you entered is invalid')}
<p>Enter this secret in your authenticator app, then the code it shows.</p><p><code id="secret">${escape(secret)}</code></p>
<form method="post" action="/u/mfa-otp-enrollment">
${hidden('state', interaction.uid)}${hidden('secret', secret)}
<label for="code">Code</label><input id="code" name="code" type="text" inputmode="numeric" autocomplete="one-time-code" required autofocus>
<button type="submit" name="action" value="default">Continue</button>
<button type="submit" class="quiet" name="action" value="cancel" formnovalidate>Cancel</button>
</form>`;
  sendPage(response, code === undefined ? 200 : 400, layout('Secure Your Account', body));
};
