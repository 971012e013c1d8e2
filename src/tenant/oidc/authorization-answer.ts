import { isAllowedOrigin } from '../http/cors.ts';
import { escape, layout } from '../http/layout.ts';
import type { State } from '../state/state.ts';
import type Provider from 'oidc-provider';

/**
 * Auth0's words for the errors of `prompt=none` (Auth0, "Silent Authentication"); the codes are the
 * standard's.
 */
const words: Readonly<Record<string, string>> = {
  login_required: 'Login required',
  consent_required: 'Consent required',
};

/**
 * Puts Auth0's form on what goes back to the application's callback: no `iss` (its discovery
 * document does not announce RFC 9207), and its own words for the errors of a silent sign-in.
 */
export function answerAuthorizationAsAuth0(provider: Provider): void {
  provider.use(async (ctx, next) => {
    await next();
    const location = ctx.response.get('location');
    if (!/[?&]iss=/.test(location) || !URL.canParse(location)) return;
    const target = new URL(location);
    if (!target.searchParams.has('code') && !target.searchParams.has('error')) return;
    target.searchParams.delete('iss');
    const described = words[target.searchParams.get('error') ?? ''];
    if (described !== undefined) target.searchParams.set('error_description', described);
    ctx.response.set('location', target.href);
  });
}

// Reads what to say from the page, so that no value of the request becomes part of a script.
const script = `(() => {
  const { origin, message } = JSON.parse(document.getElementById('answer').textContent);
  (window.opener ?? window.parent).postMessage(message, origin);
})();`;

/**
 * Auth0's `response_mode=web_message`: the answer is posted to the page that opened this one, in a
 * frame or a window, and only where its origin is among the application's Allowed Web Origins; 403
 * where it is not.
 */
export function answerByWebMessage(provider: Provider, state: State): void {
  provider.registerResponseMode('web_message', (ctx, redirectUri, payload) => {
    const { origin } = new URL(redirectUri);
    ctx.type = 'html';
    if (!isAllowedOrigin(state.settings(), origin, ctx.oidc.client?.clientId)) {
      ctx.status = 403;
      const text = `The origin "${origin}" is not in the list of Allowed Web Origins.`;
      ctx.body = layout('Origin mismatch', `<p>${escape(text)}</p>`);
      return;
    }
    const { iss: _, ...response } = payload as Record<string, string>;
    const described = words[response['error'] ?? ''];
    if (described !== undefined) response['error_description'] = described;
    const answer = { origin, message: { type: 'authorization_response', response } };
    ctx.status = 200;
    ctx.set('cache-control', 'no-store');
    const said = JSON.stringify(answer).replaceAll('<', '\\u003c');
    ctx.body = `<!DOCTYPE html><title>Authorization response</title>
<script type="application/json" id="answer">${said}</script><script>${script}</script>`;
  });
}
