// The request bodies and queries of connected accounts, as JSON Schema, with the bounds Auth0's
// OpenAPI file gives them.

const bounded = (minLength: number, maxLength: number) =>
  ({ type: 'string', minLength, maxLength }) as const;
const redirectUri = { type: 'string', format: 'uri', maxLength: 2048 } as const;

/** The body that starts the connection of an account. */
export const connectSchema = {
  type: 'object',
  properties: {
    connection: bounded(1, 128),
    redirect_uri: redirectUri,
    state: bounded(1, 4096),
    code_challenge: bounded(43, 128),
    code_challenge_method: { type: 'string', const: 'S256' },
    scopes: {
      type: 'array',
      items: bounded(1, 255),
      minItems: 1,
      maxItems: 100,
      uniqueItems: true,
    },
    authorization_params: {
      type: 'object',
      properties: {
        acr_values: bounded(1, 1024),
        audience: bounded(1, 512),
        resource: bounded(1, 512),
        display: { enum: ['page', 'popup', 'touch', 'wap'] },
        id_token_hint: bounded(1, 4096),
        login_hint: bounded(1, 255),
        max_age: { type: 'integer', minimum: 0, maximum: 2147483647 },
        prompt: { enum: ['none', 'login', 'consent', 'select_account'] },
        ui_locales: {
          ...bounded(2, 100),
          pattern: '^[a-zA-Z]{2}(-[a-zA-Z]{2})?(\\s[a-zA-Z]{2}(-[a-zA-Z]{2})?)*$',
        },
      },
      additionalProperties: false,
    },
  },
  required: ['connection', 'redirect_uri'],
  dependentRequired: { code_challenge: ['code_challenge_method'] },
  additionalProperties: false,
} as const;

/** The body that finishes the connection of an account. */
export const completeSchema = {
  type: 'object',
  properties: {
    auth_session: { type: 'string', maxLength: 64 },
    connect_code: bounded(1, 46),
    redirect_uri: redirectUri,
    code_verifier: bounded(43, 128),
  },
  required: ['auth_session', 'connect_code', 'redirect_uri'],
  additionalProperties: false,
} as const;

const paging = {
  from: { type: 'string' },
  take: { type: 'integer', minimum: 1, maximum: 20 },
} as const;

/** The query of the list of connections. */
export const pageQuery = { type: 'object', properties: paging } as const;

/** The query of the list of accounts: a page, narrowed to up to twenty connections. */
export const accountsQuery = {
  type: 'object',
  properties: {
    ...paging,
    connection: {
      anyOf: [
        { type: 'string', maxLength: 128 },
        { type: 'array', items: { type: 'string', maxLength: 128 }, minItems: 1, maxItems: 20 },
      ],
    },
  },
} as const;

/** The path of one account. */
export const accountPath = {
  type: 'object',
  properties: { id: { type: 'string', pattern: '^cac_[A-Za-z0-9]+$' } },
  required: ['id'],
} as const;
