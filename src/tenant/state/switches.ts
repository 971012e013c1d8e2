import { z } from 'zod';

/**
 * What no public source of Auth0 settles (the reference marks it unconfirmed). Each is a switch
 * with the likeliest position as its default, so a product can be tried against both. Add one line
 * here per question; the text is what `GET /_control/settings` and docs/tenant.md say.
 */
export const switchesSchema = z.strictObject({
  wwwAuthenticate: z.boolean().default(true).describe('/me sends WWW-Authenticate on 401 and 403'),
  errorTypeSpelling: z
    .enum(['path', 'fragment'])
    .default('path')
    .describe('…/api-errors/A0E-… or …/api-errors#A0E-…'),
  locationForm: z
    .enum(['absolute', 'relative'])
    .default('absolute')
    .describe('form of Location on 201 and 202'),
  wrongCodeStatus: z
    .union([z.literal(400), z.literal(401), z.literal(403)])
    .default(400)
    .describe('a wrong otp_code, attestation or password, or a spent auth_session, at /verify'),
  authSessionSeconds: z
    .number()
    .int()
    .positive()
    .default(600)
    .describe('life of an enrolment auth_session'),
  pushPendingStatus: z
    .union([z.literal(400), z.literal(403)])
    .default(400)
    .describe('push /verify before the approval'),
  unknownMethodStatus: z
    .union([z.literal(404), z.literal(204)])
    .default(404)
    .describe('DELETE of an id that is not there'),
  renameNameless: z
    .enum(['refuse', 'ignore'])
    .default('refuse')
    .describe(
      'PATCH name on passkey, password, recovery-code; PATCH channel on anything but phone',
    ),
  conflictOnLastPrimary: z
    .boolean()
    .default(true)
    .describe('409 on removing the last primary method'),
  patchCost: z
    .enum(['write', 'none'])
    .default('write')
    .describe('whether PATCH takes from the write limit'),
  profileLimits: z
    .enum(['methods', 'none'])
    .default('methods')
    .describe('whether /profile takes from the limits of the authentication methods'),
  connectCompleteStatus: z
    .union([z.literal(201), z.literal(200)])
    .default(201)
    .describe('connected-accounts/complete'),
  connectRedirect: z
    .enum(['registered', 'any'])
    .default('registered')
    .describe(
      'whether the redirect_uri of connected-accounts/connect must be a callback of the application',
    ),
  connectedAgain: z
    .enum(['conflict', 'replace'])
    .default('conflict')
    .describe(
      'the same account at the same provider a second time: 409, or the new one takes the place of the old',
    ),
  unknownAccountStatus: z
    .union([z.literal(404), z.literal(204)])
    .default(404)
    .describe('DELETE of a connected account that is not there'),
  rateLimitCode: z
    .enum(['A0E-429-0003', 'A0E-429-0001'])
    .default('A0E-429-0003')
    .describe('the code in the type of a 429 of /me'),
  unmetRequirementsStatus: z
    .union([z.literal(400), z.literal(401), z.literal(403)])
    .default(403)
    .describe('of unmet_authentication_requirements'),
  mfaRequiredStatus: z
    .union([z.literal(401), z.literal(403)])
    .default(403)
    .describe('of mfa_required'),
  mfaTokenSeconds: z
    .number()
    .int()
    .positive()
    .default(600)
    .describe('life of an mfa_token; docs 600, an SDK assumes 300'),
  parSeconds: z
    .number()
    .int()
    .positive()
    .default(30)
    .describe('life of a PAR request_uri; docs 30, OpenAPI file 90'),
  badCodeStatus: z
    .union([z.literal(400), z.literal(403)])
    .default(403)
    .describe('of a bad or reused authorization code'),
  wrongPasswordError: z
    .enum(['invalid_grant', 'invalid_user_password'])
    .default('invalid_grant')
    .describe('at the password grants'),
  badClientError: z
    .enum(['by-method', 'invalid_client', 'access_denied'])
    .default('by-method')
    .describe(
      'wrong client credentials, 401 all; by-method: access_denied for a secret, invalid_client for an assertion',
    ),
  grantNotEnabledStatus: z
    .union([z.literal(400), z.literal(403)])
    .default(403)
    .describe('of unauthorized_client at /oauth/token'),
  dpopNonceForConfidential: z
    .boolean()
    .default(false)
    .describe('/oauth/token demands a DPoP nonce of confidential clients too'),
  dpopNonceOnMyAccount: z.boolean().default(false).describe('/me demands a DPoP nonce'),
  accessTokenProfile: z
    .enum(['auth0', 'rfc9068'])
    .default('auth0')
    .describe('claims and typ of access tokens for /me'),
  accessTokenAuthClaims: z
    .boolean()
    .default(false)
    .describe('acr, amr, auth_time in access tokens'),
  passwordChangeEndsSessions: z
    .boolean()
    .default(false)
    .describe('a password changed through /me ends the sessions of the user'),
  emptyScope: z
    .enum(['empty', 'error'])
    .default('empty')
    .describe('no requested API scope survives: empty scope or access_denied'),
});

/** The positions of all switches. */
export type Switches = z.infer<typeof switchesSchema>;
