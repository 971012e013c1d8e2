import { z } from 'zod';
import { initiators } from './account-events.ts';

const seconds = z.number().int().nonnegative();

/** One application of the tenant. */
export const clientSchema = z.strictObject({
  client_id: z.string().min(1),
  client_secret: z.string().min(1).optional(),
  name: z.string().default('Application'),
  /** Exact redirect URIs. */
  callbacks: z.array(z.url()).default([]),
  /** Where /v2/logout and /oidc/logout may send the browser back to. */
  allowed_logout_urls: z.array(z.url()).default([]),
  /**
   * Allowed Web Origins and Allowed Origins (CORS): whose pages may call the tenant directly and be
   * answered by web_message.
   */
  web_origins: z.array(z.string()).default([]),
  allowed_origins: z.array(z.string()).default([]),
  /**
   * The connections its users may sign in with; without a list all of the tenant's, with an empty
   * one none.
   */
  connections: z.array(z.string()).optional(),
  token_endpoint_auth_method: z
    .enum(['client_secret_post', 'client_secret_basic', 'private_key_jwt', 'none'])
    .default('client_secret_post'),
  /** Public keys (JWK) for private_key_jwt and JAR. */
  jwks: z.strictObject({ keys: z.array(z.record(z.string(), z.unknown())) }).optional(),
  grant_types: z.array(z.string()).optional(),
  first_party: z.boolean().default(true),
  require_pushed_authorization_requests: z.boolean().default(false),
  require_proof_of_possession: z.boolean().default(false),
  require_signed_request_object: z.boolean().default(false),
  backchannel_logout_uri: z.url().optional(),
  backchannel_logout_initiators: z.array(z.enum(initiators)).default([...initiators]),
  /** `session`: logout tokens carry sid and sub; `sub`: the sub alone. */
  backchannel_logout_form: z.enum(['session', 'sub']).default('session'),
  /**
   * Rotation and overlap (seconds) of this application; without them the tenant's,
   * `tokens.rotation` and `tokens.refreshLeewaySeconds`.
   */
  refresh_token: z
    .strictObject({
      rotation_type: z.enum(['rotating', 'non-rotating']).optional(),
      leeway: seconds.optional(),
    })
    .prefault({}),
  /**
   * Multi-resource refresh tokens: what a refresh may ask for beside the first audience; without an
   * audience the My Account API.
   */
  refresh_token_policies: z
    .array(z.strictObject({ audience: z.string().optional(), scope: z.array(z.string()) }))
    .default([]),
  organization_usage: z.enum(['deny', 'allow', 'require']).default('deny'),
});

/**
 * A client grant; without an audience it is for the My Account API, whose audience depends on the
 * address the tenant got.
 */
export const grantSchema = z.strictObject({
  client_id: z.string(),
  audience: z.string().optional(),
  scope: z.array(z.string()),
});
