import type { SchemaObject } from 'ajv/dist/2020.js';
import type { OpenApi } from './my-account-openapi.ts';

// What this project knows of the answers of Auth0's My Account API, written down by hand, for machines where Auth0's OpenAPI file is not at hand.

const text: SchemaObject = { type: 'string' };
const truth: SchemaObject = { type: 'boolean' };
const moment: SchemaObject = { type: 'string', format: 'date-time' };
const whole: SchemaObject = { type: 'integer' };
const oneOf = (...values: string[]): SchemaObject => ({ type: 'string', enum: values });
const list = (items: SchemaObject, maxItems?: number): SchemaObject => ({
  type: 'array',
  items,
  ...(maxItems === undefined ? {} : { maxItems }),
});
const schema = (name: string): SchemaObject => ({ $ref: `#/components/schemas/${name}` });

/** An object whose members ending in `?` may be missing. */
function object(members: Record<string, SchemaObject>): SchemaObject {
  const entries = Object.entries(members);
  return {
    type: 'object',
    properties: Object.fromEntries(entries.map(([name, member]) => [name.replace('?', ''), member])),
    required: entries.map(([name]) => name).filter((name) => !name.endsWith('?')),
  };
}
const closed = (members: Record<string, SchemaObject>): SchemaObject => ({ ...object(members), additionalProperties: false });

const types = [
  'password',
  'passkey',
  'webauthn-platform',
  'webauthn-roaming',
  'totp',
  'phone',
  'email',
  'push-notification',
  'recovery-code',
];
const usage = list(oneOf('primary', 'secondary'));
const method = (type: string, members: Record<string, SchemaObject>): SchemaObject =>
  object({ id: text, type: { const: type }, created_at: moment, usage, ...members });
const second = (type: string, members: Record<string, SchemaObject> = {}): SchemaObject =>
  method(type, { confirmed: truth, 'last_auth_at?': moment, ...members });

const methodSchemas: Record<string, SchemaObject> = {
  AuthenticationMethodPassword: method('password', { identity_user_id: text, 'last_password_reset?': moment }),
  AuthenticationMethodPasskey: method('passkey', {
    credential_device_type: oneOf('single_device', 'multi_device'),
    credential_backed_up: truth,
    identity_user_id: text,
    key_id: text,
    public_key: text,
    user_handle: text,
    'transports?': list(text),
    'user_agent?': text,
    'aaguid?': text,
    'relying_party_id?': text,
    'last_auth_at?': moment,
  }),
  AuthenticationMethodTotp: second('totp', { 'name?': text }),
  AuthenticationMethodPush: second('push-notification', { 'name?': text }),
  AuthenticationMethodRecoveryCode: second('recovery-code'),
  AuthenticationMethodEmail: second('email', { 'name?': text, email: text }),
  AuthenticationMethodPhone: second('phone', {
    'name?': text,
    phone_number: text,
    preferred_authentication_method: oneOf('sms', 'voice'),
  }),
  AuthenticationMethodPlatform: second('webauthn-platform', { 'name?': text, 'key_id?': text, 'public_key?': text }),
  AuthenticationMethodRoaming: second('webauthn-roaming', { 'name?': text, 'key_id?': text, 'public_key?': text }),
};

const policy = closed({
  complexity: closed({
    min_length: whole,
    character_types: list(oneOf('uppercase', 'lowercase', 'number', 'special')),
    character_type_rule: oneOf('all', 'three_of_four'),
    identical_characters: oneOf('allow', 'block'),
    sequential_characters: oneOf('allow', 'block'),
    max_length_exceeded: oneOf('truncate', 'error'),
  }),
  profile_data: closed({ active: truth, blocked_fields: list(text) }),
  history: closed({ active: truth, size: whole }),
  dictionary: closed({ active: truth, default: oneOf('en_10k', 'en_100k') }),
});

const account = { id: text, connection: text, access_type: { const: 'offline' }, created_at: moment, 'expires_at?': moment };

const schemas: Record<string, SchemaObject> = {
  ...methodSchemas,
  Method: { oneOf: Object.keys(methodSchemas).map(schema) },
  Methods: closed({ authentication_methods: list(schema('Method'), 20) }),
  Factor: object({ type: oneOf(...types), 'usage?': usage }),
  Factors: closed({ factors: list(schema('Factor')) }),
  PublicKeyCredentialCreationOptions: object({
    challenge: text,
    'timeout?': { type: 'number' },
    rp: closed({ 'id?': text, name: text }),
    user: closed({ id: text, name: text, displayName: text }),
    pubKeyCredParams: list(closed({ type: { const: 'public-key' }, alg: whole })),
    'authenticatorSelection?': closed({
      'residentKey?': { const: 'required' },
      'userVerification?': oneOf('required', 'preferred', 'discouraged'),
    }),
    'excludeCredentials?': list(closed({ id: text, type: { const: 'public-key' }, 'transports?': list(text) })),
  }),
  CreateAuthenticationMethodResponseContent: {
    anyOf: [
      object({ auth_session: text, authn_params_public_key: schema('PublicKeyCredentialCreationOptions') }),
      object({ id: text, auth_session: text }),
      object({ id: text, auth_session: text, barcode_uri: text, 'manual_input_code?': text }),
      object({ id: text, auth_session: text, recovery_code: text }),
      object({ id: text, auth_session: text, policy }),
    ],
  },
  Connect: closed({
    connect_uri: { type: 'string', format: 'uri' },
    auth_session: { type: 'string', maxLength: 64 },
    connect_params: closed({ ticket: text }),
    expires_in: { type: 'integer', minimum: 1 },
  }),
  Completed: closed({ ...account, 'scopes?': list(text) }),
  ConnectedAccount: object({ ...account, scopes: list(text), 'org_id?': text }),
  ConnectedAccounts: closed({ accounts: list(schema('ConnectedAccount'), 20), 'next?': text }),
  Connections: closed({ connections: list(closed({ name: text, strategy: text, 'scopes?': list(text) }), 20), 'next?': text }),
  ErrorResponse: closed({
    type: text,
    status: { type: 'number' },
    title: text,
    detail: text,
    'validation_errors?': list(closed({ detail: text, 'field?': text, 'pointer?': text, 'source?': text })),
  }),
};

const number = { required: true, schema: { type: 'number' } };
const limits = { 'x-ratelimit-limit': number, 'x-ratelimit-remaining': number, 'x-ratelimit-reset': number };
const location = { Location: { required: true, schema: { type: 'string', format: 'uri' } } };
const json = (name: string) => ({ 'application/json': { schema: schema(name) } });

/** An operation with its success and the errors it lists. */
function operation(success: number, answer: string | undefined, errors: number[], headers = {}) {
  const failures = errors.map((status): [string, OpenApi['components']['responses'][string]] => [
    String(status),
    {
      content: json('ErrorResponse'),
      headers: status === 429 ? { ...limits, 'retry-after': number, 'x-auth0-error-kind': { schema: { const: 'global-rate-limit' } } } : {},
    },
  ]);
  const fits = { headers: { ...limits, ...headers }, ...(answer === undefined ? {} : { content: json(answer) }) };
  return { 'x-release-lifecycle': 'GA', responses: { [success]: fits, ...Object.fromEntries(failures) } };
}

const reads = [400, 401, 403, 429];
const writes = [400, 401, 403, 415, 429];

/** The twelve operations in the form of an OpenAPI document. */
export const facts: OpenApi = {
  paths: {
    '/factors': { get: operation(200, 'Factors', reads) },
    '/authentication-methods': {
      get: operation(200, 'Methods', reads),
      post: operation(202, 'CreateAuthenticationMethodResponseContent', writes, location),
    },
    '/authentication-methods/{authentication_method_id}': {
      get: operation(200, 'Method', [...reads, 404]),
      patch: operation(200, 'Method', writes),
      delete: operation(204, undefined, [...reads, 409]),
    },
    '/authentication-methods/{authentication_method_id}/verify': { post: operation(201, 'Method', writes, location) },
    '/connected-accounts/connect': { post: operation(201, 'Connect', writes) },
    '/connected-accounts/complete': { post: operation(201, 'Completed', [...writes, 409]) },
    '/connected-accounts/accounts': { get: operation(200, 'ConnectedAccounts', reads) },
    '/connected-accounts/connections': { get: operation(200, 'Connections', reads) },
    '/connected-accounts/accounts/{id}': { delete: operation(204, undefined, reads) },
  },
  components: { schemas, responses: {}, headers: {} },
};
