import { factorTypes } from '../state/methods.ts';

// The request bodies of authentication methods, as JSON Schema: closed, with the bounds Auth0's
// OpenAPI file gives them.

const text = { type: 'string' } as const;
const connection = {
  type: 'string',
  minLength: 1,
  maxLength: 128,
  pattern: '^[a-zA-Z0-9-]+$',
} as const;
const identityUserId = { type: 'string', minLength: 1, maxLength: 255, pattern: '^\\S+$' } as const;
const channel = { type: 'string', enum: ['sms', 'voice'] } as const;

const closed = <Properties extends Record<string, unknown>>(
  properties: Properties,
  required: readonly (keyof Properties & string)[],
) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});

/** The bodies that start an enrolment, by type; the webauthn types are read-only and have none. */
export const startSchemas = {
  password: closed({ type: { const: 'password' }, connection, identity_user_id: identityUserId }, [
    'type',
  ]),
  // The one body that Auth0 leaves open.
  passkey: {
    type: 'object',
    properties: {
      type: { const: 'passkey' },
      connection,
      identity_user_id: identityUserId,
      use_exclude_credentials: { type: 'boolean' },
    },
    required: ['type'],
  },
  totp: closed({ type: { const: 'totp' } }, ['type']),
  // The file says string; the documentation says E.164, and a number that is none can receive no
  // code.
  phone: closed(
    {
      type: { const: 'phone' },
      phone_number: { type: 'string', pattern: '^\\+[1-9]\\d{1,14}$' },
      preferred_authentication_method: channel,
    },
    ['type', 'phone_number'],
  ),
  email: closed({ type: { const: 'email' }, email: { type: 'string', format: 'email' } }, [
    'type',
    'email',
  ]),
  'push-notification': closed({ type: { const: 'push-notification' } }, ['type']),
  'recovery-code': closed({ type: { const: 'recovery-code' } }, ['type']),
} as const;

/** What every body that starts an enrolment must have before its type is looked at. */
export const startType = {
  type: 'object',
  properties: { type: { type: 'string', enum: Object.keys(startSchemas) } },
  required: ['type'],
} as const;

const attestation = closed(
  {
    auth_session: text,
    authn_response: {
      type: 'object',
      properties: {
        id: { type: 'string', maxLength: 1364 },
        rawId: { type: 'string', maxLength: 1364 },
        type: { const: 'public-key' },
        authenticatorAttachment: { type: 'string', enum: ['platform', 'cross-platform'] },
        clientExtensionResults: { type: 'object' },
        response: closed(
          {
            attestationObject: { type: 'string', maxLength: 2000 },
            clientDataJSON: { type: 'string', maxLength: 1000 },
            transports: { type: 'array', items: { type: 'string', maxLength: 100 } },
          },
          ['attestationObject', 'clientDataJSON'],
        ),
      },
      required: ['id', 'rawId', 'response', 'type'],
    },
  },
  ['auth_session', 'authn_response'],
);
const code = closed({ auth_session: text, otp_code: text }, ['auth_session', 'otp_code']);
const nothingMore = closed({ auth_session: text }, ['auth_session']);

/** The bodies that finish an enrolment, by the type at the front of the method's id. */
export const finishSchemas = {
  password: closed(
    {
      auth_session: text,
      new_password: {
        type: 'string',
        minLength: 1,
        maxLength: 256,
        pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]*$',
      },
    },
    ['auth_session', 'new_password'],
  ),
  passkey: attestation,
  'webauthn-platform': attestation,
  'webauthn-roaming': attestation,
  totp: code,
  phone: code,
  email: code,
  'push-notification': nothingMore,
  'recovery-code': nothingMore,
} as const;

/** The body of PATCH. */
export const changeSchema = closed({ name: text, preferred_authentication_method: channel }, []);

/** The query of the list: one type or none. */
export const listQuery = {
  type: 'object',
  properties: { type: { type: 'string', enum: factorTypes } },
} as const;
