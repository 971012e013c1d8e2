import { errors, type KoaContextWithOIDC } from 'oidc-provider';
import { allowedByRoles, findApi, identityScopes } from '../oidc/audiences.ts';
import { accountFinder } from '../oidc/claims.ts';
import { findClient } from '../oidc/clients.ts';
import { scopeList, type Parts } from '../oidc/context.ts';
import { rememberLogin } from '../oidc/logins.ts';
import { resourceServerInfo } from '../oidc/resources.ts';
import type { PendingLogin } from './mfa-tokens.ts';
import { tokenProof } from './token-proof.ts';

/** A login that is complete: who, for which application, what they asked for, and when a second factor was proved. */
export interface CompleteLogin extends PendingLogin {
  /** Auth0's name of the way, for the `gty` claim. */
  way: string;
  mfaAt?: number;
}

/**
 * Issues the tokens of an embedded login: one grant, an access token, with `offline_access` a refresh token, with `openid` an ID token.
 * There is no browser session, so there is no `sid`; and no amr, which Auth0 leaves out here even after MFA.
 */
export async function issueTokens(
  parts: Parts,
  ctx: KoaContextWithOIDC,
  login: CompleteLogin,
  extra: Record<string, unknown> = {},
): Promise<void> {
  const { state, logins, origins } = parts;
  const { provider, client } = ctx.oidc;
  const settings = state.settings();
  const user = state.users.get(login.userId);
  const account = accountFinder(parts)(ctx, login.userId);
  const record = findClient(settings, login.clientId);
  if (client === undefined || user === undefined || account === undefined || record === undefined)
    throw new errors.InvalidGrant();

  const jkt = await tokenProof(ctx);
  if (jkt === undefined && record.require_proof_of_possession)
    throw new errors.InvalidRequest('DPoP proof is required');
  const server =
    login.audience === undefined ? undefined : resourceServerInfo(parts)(ctx, login.audience);
  const api =
    login.audience === undefined ? undefined : findApi(settings, origins(), login.audience);
  const permitted = new Set([
    ...identityScopes,
    ...(api === undefined ? [] : allowedByRoles(api, user)),
  ]);
  const open = (server === undefined ? identityScopes : scopeList(server.scope)).filter((scope) =>
    permitted.has(scope),
  );
  // Without a scope Auth0 issues all of the API's: the application was trusted with the password.
  const scopes =
    login.scope.length === 0
      ? open.filter((scope) => !identityScopes.includes(scope))
      : login.scope.filter((scope) => open.includes(scope));
  const scope = scopes.join(' ');

  const grant = new provider.Grant({ accountId: user.user_id, clientId: client.clientId });
  grant.addOIDCScope(scopes.filter((one) => identityScopes.includes(one)));
  if (login.audience !== undefined) grant.addResourceScope(login.audience, scopes);
  const grantId = await grant.save();
  const { userId, clientId, audience, organization } = login;
  rememberLogin(logins, grantId, {
    ...{ userId, clientId, scopes, at: state.clock.now(), issuer: ctx.oidc.issuer },
    ...(audience === undefined ? {} : { audience }),
    ...(organization === undefined ? {} : { organization }),
    ...(login.mfaAt === undefined ? {} : { mfaAt: login.mfaAt }),
  });
  ctx.oidc.entity('Grant', grant);
  ctx.oidc.entity('Account', account);

  const common = { accountId: user.user_id, client, grantId, gty: login.way, scope };
  const access = new provider.AccessToken({ ...common, claims: {}, expiresWithSession: false });
  if (server !== undefined && login.audience !== undefined)
    access.resourceServer = new provider.ResourceServer(login.audience, server);
  if (jkt !== undefined) access.setThumbprint('jkt', jkt);
  ctx.oidc.entity('AccessToken', access);
  const accessToken = await access.save();

  const body: Record<string, unknown> = {
    access_token: accessToken,
    scope,
    expires_in: access.expiration,
    token_type: access.tokenType,
    ...extra,
  };
  if (scopes.includes('offline_access') && client.grantTypeAllowed('refresh_token')) {
    const resource = login.audience === undefined ? {} : { resource: login.audience };
    const bound = jkt !== undefined && client.tokenEndpointAuthMethod === 'none' ? { jkt } : {};
    body['refresh_token'] = await new provider.RefreshToken({
      ...common,
      ...resource,
      ...bound,
      rotations: 0,
    }).save();
  }
  if (scopes.includes('openid')) {
    const claims = await account.claims('id_token', scope, {}, []);
    const idToken = new provider.IdToken({ ...claims }, { ctx });
    Object.assign(idToken, { scope: grant.getOIDCScope(), mask: {}, rejected: [] });
    body['id_token'] = await idToken.issue({ use: 'idtoken' });
  }
  ctx.body = body;
}
