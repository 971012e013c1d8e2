import type { AdapterPayload } from 'oidc-provider';
import type { ClientRecord, Settings } from '../state/settings.ts';

/** The embedded grants, by Auth0's names. */
export const embeddedGrants = [
  'password',
  'http://auth0.com/oauth/grant-type/password-realm',
  'http://auth0.com/oauth/grant-type/mfa-otp',
  'http://auth0.com/oauth/grant-type/mfa-oob',
  'http://auth0.com/oauth/grant-type/mfa-recovery-code',
  'urn:okta:params:oauth:grant-type:webauthn',
] as const;

/** What Auth0 switches on for a new regular web application. */
const usualGrants = ['authorization_code', 'refresh_token', 'client_credentials'];

/** The application with this id, or undefined. */
export function findClient(
  settings: Settings,
  clientId: string | undefined,
): ClientRecord | undefined {
  return settings.clients.find((client) => client.client_id === clientId);
}

/**
 * An application in the words of oidc-provider (client metadata of OpenID Connect Dynamic Client
 * Registration).
 */
export function clientMetadata(settings: Settings, clientId: string): AdapterPayload | undefined {
  const client = findClient(settings, clientId);
  if (client === undefined) return undefined;
  const secret = client.token_endpoint_auth_method.startsWith('client_secret')
    ? { client_secret: client.client_secret ?? '' }
    : {};
  const proof = client.require_proof_of_possession ? { dpop_bound_access_tokens: true } : {};
  const keys = client.jwks === undefined ? {} : { jwks: client.jwks };
  return {
    client_id: client.client_id,
    client_name: client.name,
    ...secret,
    ...keys,
    ...proof,
    application_type: 'web',
    grant_types: client.grant_types ?? usualGrants,
    response_types: ['code'],
    redirect_uris: client.callbacks,
    post_logout_redirect_uris: client.allowed_logout_urls,
    token_endpoint_auth_method: client.token_endpoint_auth_method,
    require_pushed_authorization_requests: client.require_pushed_authorization_requests,
    require_signed_request_object: client.require_signed_request_object,
    id_token_signed_response_alg: 'RS256',
  };
}
