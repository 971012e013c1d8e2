import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify } from 'jose';
import { errors, type KoaContextWithOIDC } from 'oidc-provider';
import { allowedByRoles, findApi, identityScopes } from '../oidc/audiences.ts';
import { accountFinder } from '../oidc/claims.ts';
import { findClient } from '../oidc/clients.ts';
import { scopeList, type Parts } from '../oidc/context.ts';
import { rememberLogin } from '../oidc/logins.ts';
import { resourceServerInfo } from '../oidc/resources.ts';
import type { PendingLogin } from './mfa-tokens.ts';

/**
 * A login that is complete: who, for which application, what they asked for, and when a second
 * factor was proved.
 */
export interface CompleteLogin extends PendingLogin {
  /** Auth0's name of the way, for the `gty` claim. */
  way: string;
  mfaAt?: number;
}

/**
 * Issues the tokens of an embedded login: one grant, an access token, with `offline_access` a
 * refresh token, with `openid` an ID token. There is no browser session, so there is no `sid`; and
 * no amr, which Auth0 leaves out here even after MFA.
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

/** How far a proof's time may be from ours. */
const proofSeconds = 300;

/**
 * Checks the DPoP proof of a token request for an embedded grant (RFC 9449 section 4.3) and answers
 * the thumbprint of its key; undefined when none was sent. oidc-provider does this itself for its
 * own grants only. The proof has the client's clock.
 */
async function tokenProof(ctx: KoaContextWithOIDC): Promise<string | undefined> {
  const proof = ctx.get('dpop');
  if (proof === '') return undefined;
  const verified = await jwtVerify(proof, EmbeddedJWK, {
    typ: 'dpop+jwt',
    algorithms: ['ES256', 'RS256'],
  }).catch((cause: unknown) => {
    throw new errors.InvalidDpopProof('invalid DPoP key binding', { cause });
  });
  const { payload, protectedHeader } = verified;
  const fits = payload['htm'] === 'POST' && payload['htu'] === `${ctx.oidc.issuer}oauth/token`;
  const age = Math.abs(Date.now() / 1000 - (payload.iat ?? 0));
  const { jti } = payload;
  if (!fits || age > proofSeconds || protectedHeader.jwk === undefined || jti === undefined)
    throw new errors.InvalidDpopProof('DPoP proof does not fit the request');
  const thumbprint = await calculateJwkThumbprint(protectedHeader.jwk);
  const until = Math.floor(Date.now() / 1000) + proofSeconds;
  const isNew = await ctx.oidc.provider.ReplayDetection.unique(thumbprint, jti, until);
  if (!isNew) throw new errors.InvalidDpopProof('DPoP proof JWT Replay detected');
  return thumbprint;
}
