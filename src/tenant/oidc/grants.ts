import { errors, type Grant, type KoaContextWithOIDC } from 'oidc-provider';
import { allowedByRoles, findApi, identityScopes } from './audiences.ts';
import { findClient } from './clients.ts';
import { multiFactor, parameter, type Parts } from './context.ts';
import { consentKey, rememberLogin } from './logins.ts';

/** Did the user prove a second factor in this very transaction? */
export const provedMfa = (ctx: KoaContextWithOIDC): boolean =>
  ctx.oidc.result?.['mfa'] !== undefined;

/**
 * Makes the grant of one authorization request: what the user of the session gives to the
 * application. Every sign-in gets a grant of its own, so a family of refresh tokens can be ended
 * without touching another browser's. Scopes are what policy, roles and consent leave; the rest is
 * dropped without a word (Auth0 narrows silently).
 */
export function grantLoader({ state, logins, origins }: Parts) {
  return async (ctx: KoaContextWithOIDC): Promise<Grant | undefined> => {
    const { oidc } = ctx;
    const { client, account, session } = oidc;
    const settings = state.settings();
    const record = findClient(settings, client?.clientId);
    const user = state.users.get(account?.accountId ?? '');
    if (client === undefined || session === undefined || record === undefined || user === undefined)
      return undefined;

    session.sidFor(client.clientId, session.uid);
    const mfa = provedMfa(ctx);
    // Auth0 writes acr and amr only after MFA in this transaction: not for a silent sign-in, not
    // after a refresh.
    Object.assign(
      session,
      mfa ? { acr: multiFactor, amr: ['mfa'] } : { acr: undefined, amr: undefined },
    );
    const idToken = { ...oidc.claims.id_token, sid: null };
    Object.assign(oidc.claims, { id_token: idToken });

    const grant = new oidc.provider.Grant({ accountId: user.user_id, clientId: client.clientId });
    const agreed =
      logins.consents.get(consentKey(user.user_id, client.clientId)) ?? new Set<string>();
    const wanted = [...oidc.requestParamScopes];
    grant.addOIDCScope(
      wanted.filter(
        (scope) =>
          identityScopes.includes(scope) && (record.first_party || agreed.has(`openid ${scope}`)),
      ),
    );
    for (const [audience, server] of Object.entries(oidc.resourceServers ?? {})) {
      const api = findApi(settings, origins(), audience);
      if (api === undefined) continue;
      const free = record.first_party && api.skipConsent && !needsAsking(ctx);
      const consented = wanted.filter(
        (scope) =>
          server.scopes.has(scope) &&
          (free || identityScopes.includes(scope) || agreed.has(`${audience} ${scope}`)),
      );
      const permitted = new Set([...identityScopes, ...allowedByRoles(api, user)]);
      grant.addResourceScope(audience, consented);
      grant.rejectResourceScope(
        audience,
        consented.filter((scope) => !permitted.has(scope)),
      );
      // Whether Auth0 refuses where nothing of what was asked for the API survives is not known.
      const asked = wanted.filter((scope) => !identityScopes.includes(scope));
      if (
        settings.switches.emptyScope === 'error' &&
        free &&
        asked.length > 0 &&
        grant.getResourceScopeFiltered(audience, asked) === ''
      ) {
        throw new errors.AccessDenied('None of the requested scopes may be granted.');
      }
    }
    const grantId = await grant.save();
    const [audience] = Object.keys(oidc.resourceServers ?? {});
    const organization = parameter(ctx, 'organization');
    rememberLogin(logins, grantId, {
      userId: user.user_id,
      clientId: client.clientId,
      issuer: oidc.issuer,
      sid: session.uid,
      ...(audience === undefined ? {} : { audience }),
      ...(organization === undefined ? {} : { organization }),
      scopes:
        audience === undefined
          ? [...oidc.requestParamOIDCScopes]
          : wanted.filter((scope) => grant.getResourceScopeFiltered(audience, [scope]) !== ''),
      ...mfaTime(mfa ? state.clock.now() : logins.mfaBySession.get(session.uid)),
      at: state.clock.now(),
    });
    return grant;
  };

  /** `prompt=consent` asks again, whatever was agreed before. */
  function needsAsking(ctx: KoaContextWithOIDC): boolean {
    return ctx.oidc.prompts.has('consent') && ctx.oidc.result?.consent === undefined;
  }
}

const mfaTime = (mfaAt: number | undefined): { mfaAt?: number } =>
  mfaAt === undefined ? {} : { mfaAt };
