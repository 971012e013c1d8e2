import { randomBytes } from 'node:crypto';
import { decodeJwt } from 'jose';
import Provider, { errors, type KoaContextWithOIDC } from 'oidc-provider';
import { isAllowedOrigin } from '../http/cors.ts';
import { accessTokenForm } from './access-token-form.ts';
import { findApi, identityScopes } from './audiences.ts';
import { accountFinder, claimsByScope } from './claims.ts';
import { findClient } from './clients.ts';
import { scopeList, type GrantType, type Parts } from './context.ts';
import { grantLoader } from './grants.ts';
import type { SigningKey } from './keys.ts';
import { organizationRule } from './organizations.ts';
import { signInPolicy } from './policy.ts';
import { refreshRules, revocationPolicy, type DemandMfa } from './refresh.ts';
import { defaultResource, resourceServerInfo } from './resources.ts';
import { mfaPath } from '../second-factor/kinds.ts';
import { confirmLogoutPage, errorPage } from './error-page.ts';

/**
 * Secrets that every domain of one tenant shares, so a session is good on each of its instances.
 */
export interface ProviderSecrets {
  key: SigningKey;
  cookieKey: string;
  nonceSecret: Buffer;
}

/** Fresh secrets for oidc-provider's cookies and DPoP nonces. */
export const providerSecrets = (key: SigningKey): ProviderSecrets => ({
  key,
  cookieKey: randomBytes(24).toString('base64url'),
  nonceSecret: randomBytes(32),
});

/**
 * Makes oidc-provider behave as Auth0 does on one of the tenant's domains, `origin` without a slash
 * at the end.
 */
export function createProvider(
  parts: Parts,
  origin: string,
  secrets: ProviderSecrets,
  demandMfa: DemandMfa,
  grantTypes: Map<string, GrantType>,
): Provider {
  const { state } = parts;
  const tokens = (): ReturnType<typeof state.settings>['tokens'] => state.settings().tokens;
  const provider = new Provider(`${origin}/`, {
    adapter: parts.store.adapter,
    jwks: { keys: [secrets.key.privateJwk] },
    routes: {
      authorization: '/authorize',
      token: '/oauth/token',
      userinfo: '/userinfo',
      revocation: '/oauth/revoke',
      pushed_authorization_request: '/oauth/par',
      end_session: '/oidc/logout',
      jwks: '/.well-known/jwks.json',
    },
    cookies: {
      names: { session: 'auth0', interaction: 'auth0_i', resume: 'auth0_r' },
      keys: [secrets.cookieKey],
    },
    scopes: identityScopes,
    claims: claimsByScope,
    conformIdTokenClaims: false,
    responseTypes: ['code'],
    subjectTypes: ['public'],
    clientBasedCORS: (_ctx, origin, client) =>
      isAllowedOrigin(state.settings(), origin, client.clientId),
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
    extraParams: {
      // oidc-provider drops offline_access without prompt=consent; Auth0 does not.
      audience: (ctx: KoaContextWithOIDC) => {
        restoreOfflineAccess(ctx);
        judgeOnlineAccess(parts, ctx);
      },
      connection: null,
      organization: organizationRule(parts),
      screen_hint: null,
    },
    pkce: { required: (_ctx, client) => client.clientAuthMethod === 'none' },
    findAccount: accountFinder(parts),
    loadExistingGrant: grantLoader(parts),
    rotateRefreshToken: refreshRules(parts, demandMfa),
    issueRefreshToken: (_ctx, client, source) =>
      client.grantTypeAllowed('refresh_token') &&
      (source.scopes.has('offline_access') || source.scopes.has('online_access')),
    expiresWithSession: () => false,
    revokeGrantPolicy: revocationPolicy(parts),
    interactions: {
      policy: signInPolicy(parts),
      url: (ctx, { prompt, uid }) => `${pageFor(ctx, prompt)}?state=${uid}`,
    },
    renderError: errorPage(state),
    formats: { customizers: { jwt: accessTokenForm(parts) } },
    ttl: {
      AccessToken: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? 86_400,
      AuthorizationCode: () => 60,
      ClientCredentials: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? 86_400,
      Grant: () => tokens().refreshTokenSeconds,
      IdToken: () => tokens().idTokenSeconds,
      Interaction: () => 3600,
      // The life of a family does not get longer by rotation.
      RefreshToken: (ctx) =>
        tokens().refreshTokenSeconds -
        (ctx.oidc.entities.RotatedRefreshToken?.totalLifetime() ?? 0),
      Session: () => tokens().sessionSeconds,
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      revocation: {
        enabled: true,
        allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId,
      },
      pushedAuthorizationRequests: { enabled: true },
      requestObjects: { enabled: true },
      dPoP: {
        enabled: true,
        nonceSecret: secrets.nonceSecret,
        requireNonce: (ctx) => nonceDemanded(ctx),
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: defaultResource(parts),
        useGrantedResource: () => true,
        getResourceServerInfo: resourceServerInfo(parts),
      },
      rpInitiatedLogout: { enabled: true, logoutSource: confirmLogoutPage },
      backchannelLogout: { enabled: false },
    },
  });
  for (const [name, { handler, parameters }] of grantTypes)
    provider.registerGrantType(name, handler, parameters);
  // Auth0's ID tokens always carry the session id, whether or not the application listens for
  // back-channel logout.
  provider.Client.prototype.includeSid = () => true;
  return provider;

  /** The page that asks for what an authorization request still needs. */
  function pageFor(
    ctx: KoaContextWithOIDC,
    { name, reasons }: { name: string; reasons: string[] },
  ): string {
    if (name === 'consent') return '/u/consent';
    return name === 'mfa'
      ? mfaPath(state.users.get(ctx.oidc.session?.accountId ?? ''), reasons)
      : '/u/login';
  }

  /** Auth0 asks public clients for a nonce at the token endpoint, confidential ones not. */
  function nonceDemanded(ctx: KoaContextWithOIDC): boolean {
    const client = findClient(state.settings(), ctx.oidc.client?.clientId);
    return (
      client?.token_endpoint_auth_method === 'none' ||
      state.settings().switches.dpopNonceForConfidential
    );
  }
}

/**
 * Puts `offline_access` back where the request had it: in the query, the form, or inside a request
 * object or pushed request.
 */
function restoreOfflineAccess({ oidc, query }: KoaContextWithOIDC): void {
  const { params, client } = oidc;
  if (params === undefined || client?.grantTypeAllowed('refresh_token') !== true) return;
  const pushed = oidc.entities.PushedAuthorizationRequest?.request;
  const object = pushed ?? text(query['request']) ?? text(oidc.body?.['request']);
  const asked =
    object === undefined ? (query['scope'] ?? oidc.body?.['scope']) : decodeJwt(object)['scope'];
  if (!scopeList(asked).includes('offline_access')) return;
  const kept = [...scopeList(params['scope']), 'offline_access'];
  params['scope'] = scopeList(asked)
    .filter((scope) => kept.includes(scope))
    .join(' ');
}

const text = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : undefined;

/**
 * Auth0, "Online Refresh Tokens": never together with `offline_access`, and dropped without a word
 * where the API does not take them.
 */
function judgeOnlineAccess({ state, origins }: Parts, ctx: KoaContextWithOIDC): void {
  const { params } = ctx.oidc;
  const scopes = scopeList(params?.['scope']);
  if (params === undefined || !scopes.includes('online_access')) return;
  if (scopes.includes('offline_access')) {
    throw new errors.InvalidRequest('online_access and offline_access exclude each other');
  }
  const audience = text(params['audience']);
  const api = audience === undefined ? undefined : findApi(state.settings(), origins(), audience);
  if (api?.onlineAccess === false)
    params['scope'] = scopes.filter((scope) => scope !== 'online_access').join(' ');
}
