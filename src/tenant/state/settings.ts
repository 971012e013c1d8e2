import { z } from 'zod';
import { clientSchema, grantSchema } from './applications.ts';
import { factorTypes } from './methods.ts';
import { bucketNames, planNames, type PlanName } from './plans.ts';
import { switchesSchema } from './switches.ts';

const seconds = z.number().int().nonnegative();
const lifetime = z.number().int().positive();
const isPlan = (value: string): value is PlanName => planNames.some((name) => name === value);
const plan = z.string().refine(isPlan, { error: `one of ${planNames.join(', ')}` });

const accessPolicy = z.enum(['require_client_grant', 'allow_all', 'deny_all']);

const resourceServerSchema = z.strictObject({
  audience: z.string().min(1),
  name: z.string().default('API'),
  scopes: z.array(z.string()).default([]),
  user_policy: accessPolicy.default('allow_all'),
  client_policy: accessPolicy.default('require_client_grant'),
  rbac: z.boolean().default(false),
  skip_consent: z.boolean().default(true),
  /** Online refresh tokens (beta): the scope `online_access`. */
  allow_online_access: z.boolean().default(true),
  token_seconds: lifetime.default(86_400),
});

const fieldPolicy = z.strictObject({
  access: z.enum(['read_only', 'read_write']),
  source: z.enum(['user', 'idp', 'system']),
  reason: z.string().optional(),
  label: z.string().optional(),
});

const myAccountSchema = z.strictObject({
  activated: z.boolean().default(true),
  user_policy: accessPolicy.default('require_client_grant'),
  rbac: z.boolean().default(false),
  skip_consent: z.boolean().default(true),
  /** Online refresh tokens (beta): the scope `online_access`. */
  allow_online_access: z.boolean().default(true),
  /** The Default Policy: 2FA within the last 15 minutes, at login and at every refresh. */
  default_policy: z.enum(['none', 'require_2fa']).default('none'),
  default_policy_seconds: lifetime.default(900),
  dpop: z.enum(['none', 'allowed', 'required']).default('allowed'),
  /** The profile (beta): without it `/me/v1/profile` is 404. */
  profile: z.boolean().default(true),
  /**
   * What of a profile may be changed, by JSON Pointer, where it differs from what the user's
   * connection says.
   */
  profile_policy: z.record(z.string().startsWith('/'), fieldPolicy).default({}),
  factors: z
    .array(z.enum(factorTypes))
    .default([
      'password',
      'passkey',
      'totp',
      'phone',
      'email',
      'push-notification',
      'recovery-code',
    ]),
});

/**
 * Everything a tenant can be told, with every default: options of startTenant, the JSON file and
 * PATCH /_control/settings alike.
 */
export const settingsSchema = z.strictObject({
  plan: plan.default('enterprise'),
  /** Whether limits are enforced, and numbers that replace those of the plan. */
  limits: z
    .strictObject({
      enforced: z.boolean().default(true),
      tenant: z.partialRecord(z.enum(bucketNames), z.number()).default({}),
      user: z.partialRecord(z.enum(bucketNames), z.number()).default({}),
      token: z.number().optional(),
    })
    .prefault({}),
  clockOffsetSeconds: z.number().default(0),
  tokens: z
    .strictObject({
      /** Of the My Account API, as Auth0 creates it. */
      accessTokenSeconds: lifetime.default(600),
      idTokenSeconds: lifetime.default(36_000),
      refreshTokenSeconds: lifetime.default(2_592_000),
      rotation: z.boolean().default(true),
      /**
       * Overlap in which the token before the newest one may be used again; Auth0's default is 0.
       */
      refreshLeewaySeconds: seconds.default(0),
      sessionSeconds: lifetime.default(259_200),
    })
    .prefault({}),
  mfa: z
    .strictObject({
      /** An Action that reads acr_values and demands MFA. Without it Auth0 does nothing. */
      acr_values_action: z.boolean().default(true),
      /**
       * An Action that switches MFA off for every login. It outranks the Default Policy, which
       * outranks the tenant's policy.
       */
      action_disables: z.boolean().default(false),
      /** The tenant-wide MFA policy. */
      always: z.boolean().default(false),
    })
    .prefault({}),
  my_account: myAccountSchema.prefault({}),
  clients: z.array(clientSchema).default([]),
  grants: z.array(grantSchema).default([]),
  resource_servers: z.array(resourceServerSchema).default([]),
  /** The tenant's default audience, for authorization requests without one. */
  default_audience: z.string().optional(),
  /** The tenant's own page for errors that go to no callback. */
  error_page: z.strictObject({ url: z.url() }).optional(),
  /** Pushed authorization requests (RFC 9126), at Auth0 a setting of the tenant. */
  pushed_authorization_requests: z.boolean().default(true),
  /** The tenant's own list, for logout requests that name no application. */
  allowed_logout_urls: z.array(z.url()).default([]),
  /**
   * Auth0's tenant toggle "Refresh Token Revocation Deletes Grant"; off for tenants made since
   * January 2021.
   */
  refresh_token_revocation_deletes_grant: z.boolean().default(false),
  /**
   * Auth0's tenant toggle "RP-Initiated Logout End Session Endpoint Discovery"; without it
   * discovery names no end_session_endpoint, which is there all the same.
   */
  oidc_logout: z
    .strictObject({ rp_logout_end_session_endpoint_discovery: z.boolean().default(true) })
    .prefault({}),
  /** Connections for connected accounts (Token Vault). */
  connections: z
    .array(
      z.strictObject({
        name: z.string(),
        strategy: z.string(),
        scopes: z.array(z.string()).optional(),
      }),
    )
    .default([
      { name: 'google-oauth2', strategy: 'google-oauth2', scopes: ['openid', 'profile', 'email'] },
      { name: 'github', strategy: 'github', scopes: ['read:user'] },
    ]),
  organizations: z
    .array(
      z.strictObject({ id: z.string(), name: z.string(), display_name: z.string().optional() }),
    )
    .default([]),
  password_policy: z
    .strictObject({
      min_length: lifetime.default(8),
      history_size: seconds.default(0),
      dictionary: z.boolean().default(false),
    })
    .prefault({}),
  /**
   * `host[:port]` names that reach this tenant as custom domains, beside the canonical one.
   * Passkeys at the token endpoint work there only.
   */
  custom_domains: z.array(z.string()).default([]),
  /**
   * Native passkeys on the canonical domain; Auth0 refuses it, a tenant on loopback often has no
   * other name.
   */
  passkeys_on_canonical_domain: z.boolean().default(false),
  /** Texts of an Action that denies the login of these users, by e-mail. */
  denied_users: z.record(z.string(), z.string()).default({}),
  switches: switchesSchema.prefault({}),
});

/** The settings as they hold, every default filled in. */
export type Settings = z.infer<typeof settingsSchema>;

/** What may be given: any part of the settings. */
export type SettingsInput = z.input<typeof settingsSchema>;

/** One application of the tenant. */
export type ClientRecord = Settings['clients'][number];

/** Thrown with every problem in one message, one line each. */
export class SettingsError extends Error {
  override name = 'SettingsError';
}

/** Checks the whole input at once; throws a SettingsError that lists all problems. */
export function parseSettings(input: unknown): Settings {
  const parsed = settingsSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map(
    (issue) => `  ${issue.path.join('.') || '(root)'}: ${issue.message}`,
  );
  throw new SettingsError(
    `The tenant's settings have ${lines.length} problem${lines.length === 1 ? '' : 's'}:\n${lines.join('\n')}`,
  );
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * JSON Merge Patch (RFC 7396): objects merge member by member, anything else replaces, null removes
 * (back to the default).
 */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged: Record<string, unknown> = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(merged, key);
    else merged[key] = mergePatch(merged[key], value);
  }
  return merged;
}
