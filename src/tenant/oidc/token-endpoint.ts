import type Provider from 'oidc-provider';
import type { errors, KoaContextWithOIDC } from 'oidc-provider';
import type { Settings } from '../state/settings.ts';
import type { State } from '../state/state.ts';
import { TokenError } from './resources.ts';

/** What Auth0 answers in place of the standard's failure. */
interface Failure {
  status: number;
  error: string;
  description: string;
  members?: Record<string, unknown>;
}

type ProviderError = errors.OIDCProviderError;

/**
 * Auth0's words and statuses for failures of the token endpoint (its OpenAPI file, and what its
 * SDKs match on).
 */
function translate(
  error: ProviderError,
  { grantType, asserted }: { grantType: string; asserted: boolean },
  settings: Settings,
): Failure {
  const { switches } = settings;
  const { error: code, error_description: description = code, statusCode: status } = error;
  if (error instanceof TokenError)
    return { status: error.answer, error: code, description, members: error.members };
  if (code === 'invalid_client') {
    const usual = asserted ? 'invalid_client' : 'access_denied';
    const wanted = switches.badClientError === 'by-method' ? usual : switches.badClientError;
    return wanted === 'access_denied'
      ? { status: 401, error: 'access_denied', description: 'Unauthorized' }
      : { status: 401, error: code, description: 'Client authentication failed' };
  }
  if (code === 'invalid_request' && description.startsWith('requested grant type is not allowed')) {
    const text = `Grant type '${grantType}' not allowed for the client.`;
    return {
      status: switches.grantNotEnabledStatus,
      error: 'unauthorized_client',
      description: text,
      members: { error_uri: 'https://auth0.com/docs/clients/client-grant-types' },
    };
  }
  if (code === 'invalid_grant' && grantType === 'refresh_token') {
    const gone = error.error_detail?.includes('account not found') === true;
    const text = gone
      ? "The refresh_token was generated for a user who doesn't exist anymore."
      : 'Unknown or invalid refresh token.';
    return { status: 403, error: code, description: text };
  }
  if (code === 'invalid_grant' && grantType === 'authorization_code') {
    const verifier = error.error_detail?.includes('code_verifier') === true;
    const text = verifier ? 'Failed to verify code verifier' : 'Invalid authorization code';
    return { status: switches.badCodeStatus, error: code, description: text };
  }
  if (code === 'use_dpop_nonce')
    return {
      status: 400,
      error: code,
      description: 'Authorization server requires nonce in DPoP proof',
    };
  return { status, error: code, description };
}

/**
 * Puts Auth0's answers in place of oidc-provider's, at the endpoints that applications call
 * directly above all.
 */
export function answerAsAuth0(provider: Provider, state: State): void {
  const failures = new WeakMap<KoaContextWithOIDC, ProviderError>();
  const keep = (ctx: KoaContextWithOIDC, error: ProviderError): void =>
    void failures.set(ctx, error);
  provider.on('grant.error', keep);
  provider.on('revocation.error', keep);
  provider.on('pushed_authorization_request.error', keep);

  provider.use(async (context, next) => {
    await next();
    const ctx = context as KoaContextWithOIDC;
    // Auth0 redirects with 302.
    if (ctx.status === 303) ctx.status = 302;
    const settings = state.settings();
    const failure = failures.get(ctx);
    if (failure !== undefined) {
      const { grant_type: grantType, client_assertion: assertion } = ctx.oidc.body ?? {};
      const asked = {
        grantType: typeof grantType === 'string' ? grantType : '',
        asserted: assertion !== undefined,
      };
      const answer = translate(failure, asked, settings);
      ctx.status = answer.status;
      ctx.body = { error: answer.error, error_description: answer.description, ...answer.members };
      return;
    }
    dropUnrotated(ctx);
    if (ctx.path === '/oauth/par' && ctx.status === 201) {
      ctx.body = {
        ...(ctx.body as Record<string, unknown>),
        expires_in: settings.switches.parSeconds,
      };
    }
  });
}

/** A token that is not rotated is not sent again (Auth0: the answer then has no refresh_token). */
function dropUnrotated(ctx: KoaContextWithOIDC): void {
  if (ctx.path !== '/oauth/token') return;
  const sent = ctx.oidc.body?.['refresh_token'];
  const body = ctx.body as Record<string, unknown> | undefined;
  if (sent === undefined || body?.['refresh_token'] !== sent) return;
  const { refresh_token: _, ...rest } = body;
  ctx.body = rest;
}
