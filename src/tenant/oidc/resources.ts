import { errors, type KoaContextWithOIDC, type ResourceServer } from 'oidc-provider';
import { allowedByPolicy, findApi, identityScopes } from './audiences.ts';
import { findClient } from './clients.ts';
import { parameter, type Parts } from './context.ts';

/**
 * Auth0's error codes are not all the standard's: this is thrown with a status of its own and extra
 * members of the body.
 */
export class TokenError extends errors.CustomOIDCProviderError {
  readonly answer: number;
  readonly members: Record<string, unknown>;
  constructor(
    status: number,
    code: string,
    description: string,
    members: Record<string, unknown> = {},
  ) {
    super(code, description);
    this.answer = status;
    this.members = members;
  }
}

/** Turns Auth0's `audience` into the resource of RFC 8707, which oidc-provider speaks. */
export function defaultResource({ state }: Parts) {
  return (
    ctx: KoaContextWithOIDC,
    _client: unknown,
    granted?: readonly string[],
  ): string | string[] => {
    const wanted = parameter(ctx, 'audience');
    if (granted !== undefined) {
      // A refresh: an audience outside the policy is silently ignored, and the token is for the one
      // of the sign-in.
      return granted.find((candidate) => candidate === wanted) ?? granted[0] ?? [];
    }
    // Without an audience the token is opaque and for /userinfo alone, unless the tenant has a
    // default.
    return wanted ?? state.settings().default_audience ?? [];
  };
}

/**
 * Answers what a token for an audience may say and how long it lives; throws Auth0's error when the
 * application may not have one.
 */
export function resourceServerInfo({ state, origins }: Parts) {
  return (ctx: KoaContextWithOIDC, audience: string): ResourceServer => {
    const settings = state.settings();
    const api = findApi(settings, origins(), audience);
    const client = findClient(settings, ctx.oidc.client?.clientId);
    if (api === undefined || client === undefined) {
      throw new errors.CustomOIDCProviderError('access_denied', `Service not found: ${audience}`);
    }
    const machine = parameter(ctx, 'grant_type') === 'client_credentials';
    const allowed = allowedByPolicy(
      settings,
      api,
      client,
      machine ? api.clientPolicy : api.userPolicy,
    );
    const thirdParty = api.isMyAccount && !client.first_party;
    if (machine && allowed === undefined) throw noMachineAccess(audience);
    if (ctx.oidc.route !== 'token' && (allowed === undefined || thirdParty))
      throw noAccess(client.client_id, audience, client.first_party);
    return {
      scope: [...(machine ? [] : identityScopes), ...(allowed ?? [])].join(' '),
      audience,
      accessTokenFormat: 'jwt',
      accessTokenTTL: api.tokenSeconds,
      jwt: { sign: { alg: 'RS256' } },
    };
  };
}

function noAccess(clientId: string, audience: string, firstParty: boolean): Error {
  const text = `Client "${clientId}" is not authorized to access resource server "${audience}".`;
  return new errors.CustomOIDCProviderError(
    firstParty ? 'invalid_request' : 'unauthorized_client',
    text,
  );
}

function noMachineAccess(audience: string): Error {
  return new TokenError(
    403,
    'access_denied',
    `Client is not authorized to access "${audience}". You need to create a "client-grant" associated to this API. See: https://auth0.com/docs/api/v2#!/Client_Grants/post_client_grants`,
  );
}
