import { type Grant, type KoaContextWithOIDC, type RefreshToken } from 'oidc-provider';
import type { ClientRecord, Settings } from '../state/settings.ts';
import { allowedByPolicy, findApi, identityScopes } from './audiences.ts';
import { findClient } from './clients.ts';
import { parameter, scopeList, type Parts } from './context.ts';
import type { Login } from './logins.ts';
import { canProveMfa, defaultPolicyHolds } from './policy.ts';
import { TokenError } from './resources.ts';

/** Answers mfa_required for a login on its way; its token opens the MFA API. */
export type DemandMfa = (login: {
  userId: string;
  clientId: string;
  audience?: string;
  scope: string[];
  grantId?: string;
}) => TokenError;

/**
 * What Auth0 does at a refresh and oidc-provider does not. It is called by oidc-provider after the
 * client, the token, its grant and its key have been checked and before anything is issued; the
 * answer is whether to rotate.
 */
export function refreshRules(parts: Parts, demandMfa: DemandMfa) {
  return (ctx: KoaContextWithOIDC): boolean => {
    const { RefreshToken: token, Grant: grant } = ctx.oidc.entities;
    const login = parts.logins.byGrant.get(token?.grantId ?? '');
    if (token === undefined || grant === undefined || login === undefined) return true;
    // amr and acr say what happened at a sign-in; an ID token from a refresh does not repeat them.
    Object.assign(token, { amr: undefined, acr: undefined });
    const audience = widen(parts, ctx, token, grant, login);
    checkDefaultPolicy(parts, login, audience, () =>
      demandMfa({
        ...login,
        ...(audience === undefined ? {} : { audience }),
        scope: scopeList(token.scope),
        grantId: grant.jti,
      }),
    );
    if (login.scopes.includes('online_access')) {
      extendSession(parts, login);
      return false;
    }
    return rotates(parts.state.settings(), findClient(parts.state.settings(), login.clientId));
  };
}

/**
 * Multi-resource refresh tokens: the audiences and scopes of the application's policies join those
 * of the sign-in; anything else asked for is dropped without a word. Answers the audience the token
 * will be for.
 */
function widen(
  { state, origins }: Parts,
  ctx: KoaContextWithOIDC,
  token: RefreshToken,
  grant: Grant,
  login: Login,
): string | undefined {
  const settings = state.settings();
  const client = findClient(settings, login.clientId);
  const policies = client?.first_party === true ? client.refresh_token_policies : [];
  const allowed = new Map<string, Set<string>>();
  if (login.audience !== undefined) allowed.set(login.audience, new Set(login.scopes));
  for (const { audience, scope } of policies) {
    const policy = { audience: audience ?? `${ctx.oidc.issuer}me/`, scope };
    const api = findApi(settings, origins(), policy.audience);
    if (api === undefined || client === undefined || !api.skipConsent) continue;
    const open = allowedByPolicy(settings, api, client, api.userPolicy) ?? [];
    const scopes =
      allowed.get(policy.audience) ??
      new Set(login.scopes.filter((scope) => identityScopes.includes(scope)));
    for (const scope of policy.scope) if (open.includes(scope)) scopes.add(scope);
    allowed.set(policy.audience, scopes);
  }
  for (const [audience, scopes] of allowed) grant.addResourceScope(audience, scopes);

  const audiences = [...allowed.keys()];
  const wanted = parameter(ctx, 'audience');
  const audience = audiences.find((candidate) => candidate === wanted) ?? login.audience;
  const open =
    (audience === undefined ? undefined : allowed.get(audience)) ?? new Set(login.scopes);
  const asked = scopeList(ctx.oidc.body?.['requested_scope']);
  const scope = [...open].filter((one) => asked.length === 0 || asked.includes(one)).join(' ');
  Object.assign(token, {
    scope: scope,
    ...(audiences.length === 0 ? {} : { resource: audiences }),
  });
  return audience;
}

/**
 * "Require 2FA": within 15 minutes of the last second factor; of the sign-in only for a user who
 * has none to prove.
 */
function checkDefaultPolicy(
  parts: Parts,
  login: Login,
  audience: string | undefined,
  demandMfa: () => TokenError,
): void {
  if (!defaultPolicyHolds(parts, audience)) return;
  const { my_account: me, switches } = parts.state.settings();
  const user = parts.state.users.get(login.userId);
  const able = user !== undefined && canProveMfa(user);
  const since = login.mfaAt ?? (able ? undefined : login.at);
  if (since !== undefined && parts.state.clock.now() - since < me.default_policy_seconds * 1000)
    return;
  if (able) throw demandMfa();
  throw new TokenError(
    switches.unmetRequirementsStatus,
    'unmet_authentication_requirements',
    'Unmet authentication requirements',
  );
}

/**
 * An online refresh token is good while the session at the tenant is, and each use extends that.
 */
function extendSession({ state, store }: Parts, { sid }: Login): void {
  if (sid !== undefined && store.extendSession(sid, state.settings().tokens.sessionSeconds)) return;
  throw new TokenError(403, 'invalid_grant', 'Unknown or invalid refresh token.');
}

/**
 * Whether a refresh gives a new refresh token: as the application says, else as the tenant does.
 */
const rotates = ({ tokens }: Settings, client: ClientRecord | undefined): boolean =>
  client?.refresh_token.rotation_type === undefined
    ? tokens.rotation
    : client.refresh_token.rotation_type === 'rotating';

/**
 * What else ends with a revoked token: its family, always; with the tenant toggle "Refresh Token
 * Revocation Deletes Grant" every refresh token of the same user, application and audience.
 */
export function revocationPolicy({ state, store, logins }: Parts) {
  return (ctx: KoaContextWithOIDC): boolean => {
    const token = ctx.oidc.entities.RefreshToken;
    const login = logins.byGrant.get(token?.grantId ?? '');
    // Revoking an online token ends the session it is bound to.
    const online = ctx.oidc.route === 'revocation' && login?.scopes.includes('online_access');
    if (online === true && login?.sid !== undefined) store.dropSession(login.sid);
    if (
      ctx.oidc.route !== 'revocation' ||
      login === undefined ||
      !state.settings().refresh_token_revocation_deletes_grant
    )
      return true;
    for (const grant of store.grants({ userId: login.userId, clientId: login.clientId })) {
      if (logins.byGrant.get(grant)?.audience === login.audience) store.revokeGrant(grant);
    }
    return true;
  };
}
