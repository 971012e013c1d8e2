import type { Account, KoaContextWithOIDC } from 'oidc-provider';
import type { Parts } from './context.ts';

/**
 * Which claims a scope opens, as Auth0 has it. acr and amr are there when the session carries them.
 */
export const claimsByScope = {
  auth_time: null,
  iss: null,
  sid: null,
  openid: ['sub', 'acr', 'amr', 'org_id'],
  profile: ['name', 'nickname', 'given_name', 'family_name', 'picture', 'updated_at'],
  email: ['email', 'email_verified'],
  phone: ['phone_number', 'phone_number_verified'],
  address: ['address'],
};

/**
 * Finds the user behind a session or token, with their claims; a user who is blocked or gone is
 * nobody.
 */
export function accountFinder({ state, logins }: Parts) {
  return (ctx: KoaContextWithOIDC, userId: string): Account | undefined => {
    const user = state.users.get(userId);
    // Whether a blocked user may go on is judged by the sign-in policy, which says so at the
    // callback.
    const signingIn = ['authorization', 'resume'].includes(ctx.oidc.route);
    if (user === undefined || (user.blocked && !signingIn)) return undefined;
    const optional = {
      given_name: user.given_name,
      family_name: user.family_name,
      picture: user.picture,
      phone_number: user.phone_number,
    };
    return {
      accountId: user.user_id,
      claims: () => ({
        sub: user.user_id,
        name: user.name,
        nickname: user.nickname,
        email: user.email,
        email_verified: user.email_verified,
        updated_at: user.updated_at,
        ...(user.phone_number === undefined ? {} : { phone_number_verified: true }),
        ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
        ...organizationOf(ctx),
      }),
    };
  };

  function organizationOf(ctx: KoaContextWithOIDC): { org_id?: string } {
    const organization = logins.byGrant.get(ctx.oidc.grant?.jti ?? '')?.organization;
    return organization === undefined ? {} : { org_id: organization };
  }
}
