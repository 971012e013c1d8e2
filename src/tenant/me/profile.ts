import type { Settings } from '../state/settings.ts';
import type { UserRecord } from '../state/users.ts';
import type { Answer, Call } from './parts.ts';
import { Problem } from './problems.ts';
import { createCheck } from './validate.ts';

// Auth0, "My Account API", profile (beta): the fields, their bounds, and which are managed
// elsewhere.
const names = ['given_name', 'family_name', 'name', 'nickname', 'picture'] as const;
const identifiers = ['email', 'phone_number', 'username'] as const;
const times = ['created_at', 'updated_at'] as const;
const fields = [...names, ...identifiers, 'user_metadata', ...times, 'profile_policy'] as const;
/** Shown, and never changed here. */
const readOnly = [...identifiers, ...times, 'user_id', 'email_verified', 'phone_verified'] as const;

const given = { type: 'string', minLength: 1, maxLength: 150, pattern: '\\S' } as const;
const called = { type: 'string', minLength: 1, maxLength: 300 } as const;
const changeSchema = {
  type: 'object',
  properties: {
    given_name: given,
    family_name: given,
    name: called,
    nickname: called,
    picture: { type: 'string', minLength: 1, maxLength: 2048, pattern: '^https://' },
    user_metadata: { type: 'object' },
  },
  additionalProperties: false,
} as const;
const querySchema = {
  type: 'object',
  properties: {
    fields: { type: 'string' },
    include_fields: { enum: ['true', 'false'] },
  },
} as const;

type Name = (typeof names)[number];
type Change = Partial<Record<Name, string>> & { readonly user_metadata?: Record<string, unknown> };

const checkQuery = createCheck<{ fields?: string; include_fields?: 'true' | 'false' }>(querySchema);
const checkChange = createCheck<Change>(changeSchema);

/**
 * GET /profile: the user's own data, of which `fields` takes a part or, with
 * `include_fields=false`, leaves it out.
 */
export function readProfile({ user, settings, query }: Call): Answer {
  const { fields: listed, include_fields: include } = checkQuery(query, 'query');
  const wanted = listed?.split(',').map((name) => name.trim());
  const unknown = wanted?.filter((name) => !fields.some((field) => field === name)) ?? [];
  if (unknown.length > 0) {
    const detail = `data/fields must be made of ${fields.join(', ')}`;
    throw new Problem('invalid_payload', {
      errors: [{ detail, pointer: '/fields', source: 'query' }],
    });
  }
  const profile = profileOf(user, settings);
  if (wanted === undefined) return { status: 200, body: profile };
  const shown = (field: string): boolean => wanted.includes(field) === (include !== 'false');
  // What belongs to a field goes with it; the id is always there. Which of them stay is
  // UNCONFIRMED.
  const owner: Readonly<Record<string, string>> = {
    email_verified: 'email',
    phone_verified: 'phone_number',
  };
  const kept = Object.entries(profile).filter(
    ([field]) => field === 'user_id' || shown(owner[field] ?? field),
  );
  return { status: 200, body: Object.fromEntries(kept) };
}

/**
 * PATCH /profile: all of it or nothing; `user_metadata` merges one level deep, and null removes a
 * key.
 */
export function changeProfile({ user, settings, state, body }: Call): Answer {
  const asked = body === undefined ? {} : body;
  const named = typeof asked === 'object' && asked !== null ? Object.keys(asked) : [];
  const refused = named.filter(
    (field) =>
      readOnly.some((one) => one === field) ||
      policyOf(user, settings)[`/${field}`]?.access === 'read_only',
  );
  if (refused.length > 0) {
    const errors = refused.map((field) => ({
      detail: `data/${field} is read-only`,
      field,
      pointer: `/${field}`,
      source: 'body',
    }));
    throw new Problem('read_only_field', { errors });
  }
  const { user_metadata: metadata, ...change } = checkChange(asked);
  if (named.length > 0) {
    Object.assign(user, change, { updated_at: state.clock.iso() });
    const merged = Object.entries({ ...user.user_metadata, ...metadata });
    user.user_metadata = Object.fromEntries(merged.filter(([, value]) => value !== null));
  }
  return { status: 200, body: profileOf(user, settings) };
}

function profileOf(user: UserRecord, settings: Settings): Record<string, unknown> {
  const { user_id, email_verified, user_metadata, phone_number } = user;
  const own = [...names, ...identifiers, ...times].map((field) => [field, user[field]] as const);
  return {
    user_id,
    ...Object.fromEntries(own.filter(([, value]) => value !== undefined)),
    email_verified,
    ...(phone_number === undefined ? {} : { phone_verified: true }),
    user_metadata,
    profile_policy: policyOf(user, settings),
  };
}

/**
 * Names of a user who comes from another provider are that provider's; identifiers have an API of
 * their own.
 */
function policyOf(user: UserRecord, settings: Settings): Settings['my_account']['profile_policy'] {
  const foreign = settings.connections.some(({ name }) => name === user.connection);
  const own = foreign
    ? ({ access: 'read_only', source: 'idp', reason: 'managed_by_identity_provider' } as const)
    : ({ access: 'read_write', source: 'user' } as const);
  return {
    ...Object.fromEntries(names.map((name) => [`/${name}`, own])),
    '/user_metadata': { access: 'read_write', source: 'user' },
    ...Object.fromEntries(
      identifiers.map((name) => [`/${name}`, { access: 'read_only', source: 'system' } as const]),
    ),
    ...settings.my_account.profile_policy,
  };
}
