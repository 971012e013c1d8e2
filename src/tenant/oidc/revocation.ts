import type { KoaContextWithOIDC } from 'oidc-provider';
import type { Parts } from './context.ts';

/**
 * What else ends with a revoked token: its family, always; with the tenant toggle "Refresh Token Revocation Deletes Grant" every refresh token of
 * the same user, application and audience.
 */
export function revocationPolicy({ state, store, logins }: Parts) {
  return (ctx: KoaContextWithOIDC): boolean => {
    const token = ctx.oidc.entities.RefreshToken;
    const login = logins.byGrant.get(token?.grantId ?? '');
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
