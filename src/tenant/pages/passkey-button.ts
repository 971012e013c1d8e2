import { isIP } from 'node:net';
import type { Passkeys } from '../embedded/passkeys.ts';
import { escape } from '../http/layout.ts';

/** Who starts the ceremony, in place of an application: the sign-in page itself. */
export const signInPage = '/u/login';

// Shown by the script alone: without JavaScript, or in a browser without passkeys, the password
// form is all there is.
const script = `(() => {
  const button = document.getElementById('passkey');
  if (!window.PublicKeyCredential?.parseRequestOptionsFromJSON) return;
  button.hidden = false;
  button.addEventListener('click', async () => {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(JSON.parse(button.dataset.options));
    const credential = await navigator.credentials.get({ publicKey }).catch(() => undefined);
    if (!credential) return;
    const form = button.form;
    form.elements.authn_response.value = JSON.stringify(credential.toJSON());
    for (const name of ['username', 'password']) form.elements[name].required = false;
    form.submit();
  });
})();`;

/**
 * The part of the sign-in form that offers a passkey; nothing on an address, which cannot have any
 * (WebAuthn Level 3, section 5.1.3).
 */
export async function passkeyButton(passkeys: Passkeys, origin: string): Promise<string> {
  if (isIP(new URL(origin).hostname.replace(/^\[|\]$/g, '')) !== 0) return '';
  const { auth_session: session, authn_params_public_key: options } = await passkeys.challenge(
    origin,
    signInPage,
  );
  return `<input type="hidden" name="auth_session" value="${escape(String(session))}"><input type="hidden" name="authn_response" value="">
<button type="button" class="quiet" id="passkey" data-options="${escape(JSON.stringify(options))}" hidden>Continue with a passkey</button>
<script>${script}</script>`;
}
