import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from './clock.ts';
import type { MethodRecord } from './methods.ts';
import { hashPassword } from './passwords.ts';
import type { UserRecord } from './users.ts';

const methodSchema = z.union([
  z.strictObject({
    type: z.literal('totp'),
    secret: z.string().optional(),
    name: z.string().optional(),
    confirmed: z.boolean().default(true),
  }),
  z.strictObject({
    type: z.literal('email'),
    email: z.email().optional(),
    name: z.string().optional(),
    confirmed: z.boolean().default(true),
  }),
  z.strictObject({
    type: z.literal('phone'),
    phone_number: z.string(),
    preferred_authentication_method: z.enum(['sms', 'voice']).default('sms'),
    name: z.string().optional(),
    confirmed: z.boolean().default(true),
  }),
  z.strictObject({
    type: z.literal('push-notification'),
    name: z.string().optional(),
    confirmed: z.boolean().default(true),
  }),
  z.strictObject({
    type: z.literal('recovery-code'),
    code: z.string().optional(),
    confirmed: z.boolean().default(true),
  }),
  /** Read-only over the API: a security key or a device of the time before passkeys. */
  z.strictObject({
    type: z.enum(['webauthn-platform', 'webauthn-roaming']),
    name: z.string().optional(),
    key_id: z.string().optional(),
    public_key: z.string().optional(),
    confirmed: z.boolean().default(true),
  }),
]);

/**
 * What it takes to make a user: an e-mail at least. Without a password the user cannot sign in with
 * one.
 */
export const newUserSchema = z.strictObject({
  user_id: z.string().min(1).optional(),
  email: z.email(),
  password: z.string().optional(),
  email_verified: z.boolean().default(true),
  name: z.string().optional(),
  given_name: z.string().optional(),
  family_name: z.string().optional(),
  nickname: z.string().optional(),
  username: z.string().optional(),
  phone_number: z.string().optional(),
  picture: z.string().optional(),
  connection: z.string().default('Username-Password-Authentication'),
  blocked: z.boolean().default(false),
  permissions: z.record(z.string(), z.array(z.string())).default({}),
  organizations: z.array(z.string()).default([]),
  methods: z.array(methodSchema).default([]),
  user_metadata: z.record(z.string(), z.unknown()).default({}),
});

/** A user as given to startTenant, the JSON file or POST /_control/users. */
export type NewUser = z.input<typeof newUserSchema>;

const base32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const capitals = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789';
const pick = (alphabet: string, length: number): string =>
  Array.from(randomBytes(length), (byte) => alphabet.charAt(byte % alphabet.length)).join('');

/** A fresh TOTP secret: 160 bits of base32. */
export const newTotpSecret = (): string => pick(base32, 32);

/** A fresh recovery code: 24 capital letters and digits without the look-alikes. */
export const newRecoveryCode = (): string => pick(capitals, 24);

/** A fresh method id in Auth0's form: `totp|dev_` and 16 characters. */
export const newMethodId = (type: string): string =>
  `${type}|dev_${pick('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789', 16)}`;

/** The password method of a user, its id as Auth0 builds it: base64url of the identity. */
export function passwordMethod(userId: string, password: string, at: string): MethodRecord {
  const id = `password|${Buffer.from(userId).toString('base64url')}`;
  return {
    view: {
      id,
      type: 'password',
      created_at: at,
      usage: ['primary'],
      identity_user_id: userId,
      last_password_reset: at,
    },
    secrets: { passwordHash: hashPassword(password) },
  };
}

function methodRecord(
  given: z.infer<typeof methodSchema>,
  email: string,
  at: string,
): MethodRecord {
  const common = {
    id: newMethodId(given.type),
    created_at: at,
    usage: ['secondary' as const],
    confirmed: given.confirmed,
  };
  const named = 'name' in given && given.name !== undefined ? { name: given.name } : {};
  switch (given.type) {
    case 'totp':
      return {
        view: { ...common, type: 'totp', ...named },
        secrets: { totpSecret: given.secret ?? newTotpSecret() },
      };
    case 'email':
      return {
        view: { ...common, type: 'email', ...named, email: given.email ?? email },
        secrets: {},
      };
    case 'phone': {
      const { phone_number, preferred_authentication_method } = given;
      return {
        view: { ...common, type: 'phone', ...named, phone_number, preferred_authentication_method },
        secrets: {},
      };
    }
    case 'push-notification':
      return { view: { ...common, type: 'push-notification', ...named }, secrets: {} };
    case 'webauthn-platform':
    case 'webauthn-roaming': {
      const { key_id, public_key } = given;
      const keys = {
        ...(key_id === undefined ? {} : { key_id }),
        ...(public_key === undefined ? {} : { public_key }),
      };
      return { view: { ...common, type: given.type, ...named, ...keys }, secrets: {} };
    }
    case 'recovery-code':
      return {
        view: { ...common, type: 'recovery-code' },
        secrets: { recoveryCode: given.code ?? newRecoveryCode() },
      };
  }
}

/** Makes the record of a user, with a fresh id and methods created now. */
export function newUser(given: z.infer<typeof newUserSchema>, clock: Clock): UserRecord {
  const {
    password,
    methods,
    user_id = `auth0|${randomBytes(12).toString('hex')}`,
    ...rest
  } = given;
  const at = clock.iso();
  const local = rest.email.split('@')[0] ?? rest.email;
  const name = rest.name ?? rest.email;
  const nickname = rest.nickname ?? local;
  const defined = Object.fromEntries(
    Object.entries(rest).filter(([, value]) => value !== undefined),
  ) as typeof rest;
  const { given_name, family_name, username, phone_number, picture, ...required } = defined;
  const optional = { given_name, family_name, username, phone_number, picture };
  return {
    ...required,
    ...(Object.fromEntries(
      Object.entries(optional).filter(([, value]) => value !== undefined),
    ) as Record<string, string>),
    user_id,
    name,
    nickname,
    created_at: at,
    updated_at: at,
    methods: [
      ...(password === undefined ? [] : [passwordMethod(user_id, password, at)]),
      ...methods.map((method) => methodRecord(method, rest.email, at)),
    ],
    connectedAccounts: [],
  };
}
