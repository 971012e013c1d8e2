import type { AccessToken, ClientCredentials, KoaContextWithOIDC } from 'oidc-provider';
import { findApi } from './audiences.ts';
import { multiFactor, scopeList, type Parts } from './context.ts';

interface Structure {
  header?: Record<string, unknown> | undefined;
  payload: Record<string, unknown>;
}

/**
 * Gives access tokens Auth0's form: one of its two profiles, two audiences for a user who signed in
 * with `openid`, times of the tenant's clock.
 */
export function accessTokenForm({ state, logins, origins }: Parts) {
  return (
    ctx: KoaContextWithOIDC,
    token: AccessToken | ClientCredentials,
    jwt: Structure,
  ): void => {
    const { payload } = jwt;
    const settings = state.settings();
    const offset = Math.round(settings.clockOffsetSeconds);
    const { client_id: clientId, ...claims } = payload;
    const audience = String(payload['aud']);
    const api = findApi(settings, origins(), audience);
    const login = 'grantId' in token ? logins.byGrant.get(token.grantId) : undefined;
    const scopes = scopeList(payload['scope']);
    const rfc9068 = settings.switches.accessTokenProfile === 'rfc9068' && api?.isMyAccount === true;
    const grant = token.kind === 'ClientCredentials' ? 'client-credentials' : embeddedName(token);

    Object.assign(claims, {
      iat: Number(payload['iat']) + offset,
      exp: Number(payload['exp']) + offset,
      aud: scopes.includes('openid') ? [audience, `${ctx.oidc.issuer}userinfo`] : audience,
      sub: token.kind === 'ClientCredentials' ? `${String(clientId)}@clients` : payload['sub'],
      ...(rfc9068 ? { client_id: clientId } : { azp: clientId }),
      ...(grant === undefined || rfc9068 ? {} : { gty: grant }),
      ...(api?.rbac === true
        ? { permissions: state.users.get(String(payload['sub']))?.permissions[audience] ?? [] }
        : {}),
      ...(login?.organization === undefined ? {} : { org_id: login.organization }),
      ...(settings.switches.accessTokenAuthClaims && login?.mfaAt !== undefined
        ? { acr: multiFactor, amr: ['mfa'], auth_time: Math.floor(login.at / 1000) }
        : {}),
    });
    jwt.payload = claims;
    jwt.header = { ...jwt.header, typ: rfc9068 ? 'at+jwt' : 'JWT' };
  };
}

function embeddedName(token: AccessToken | ClientCredentials): string | undefined {
  const gty = 'gty' in token && typeof token.gty === 'string' ? token.gty.split(' ')[0] : undefined;
  return gty === 'authorization_code' || gty === 'refresh_token' ? undefined : gty;
}
