import type Provider from 'oidc-provider';

/** Auth0's words for the errors of `prompt=none` (Auth0, "Silent Authentication"); the codes are the standard's. */
export const words: Readonly<Record<string, string>> = {
  login_required: 'Login required',
  consent_required: 'Consent required',
};

/**
 * Puts Auth0's form on what goes back to the application's callback: no `iss` (its discovery document does not announce RFC 9207), and its own
 * words for the errors of a silent sign-in.
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
