import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { embeddedGrants } from './oidc/clients.ts';
import { myAccountScopes } from './oidc/audiences.ts';
import { newTotpSecret, newUserSchema, type NewUser } from './state/new-user.ts';
import {
  parseSettings,
  settingsSchema,
  SettingsError,
  type Settings,
  type SettingsInput,
} from './state/settings.ts';

const placeSchema = z.strictObject({
  host: z.string().default('127.0.0.1'),
  port: z.number().int().min(0).max(65_535).default(0),
  /** The public origin when it differs from where the tenant listens, `https://tenant.example/`. */
  issuer: z.url().optional(),
  control: z.boolean().default(true),
  users: z.array(newUserSchema).optional(),
});

/**
 * Options of startTenant: where it listens, its users, and every setting of the tenant. All are
 * optional.
 */
export type TenantOptions = SettingsInput & {
  host?: string | undefined;
  port?: number | undefined;
  issuer?: string | undefined;
  control?: boolean | undefined;
  users?: NewUser[] | undefined;
};

/** Options checked whole, defaults filled in. */
export interface CheckedOptions {
  place: z.infer<typeof placeSchema>;
  settings: Settings;
  /** The demo user: always there beside the users given, unless one of them has the address. */
  demo: { email: string; password: string; totpSecret: string };
}

/** The application of the demo, made when none is given. Its secret is new at each start. */
function demoClient(): NonNullable<SettingsInput['clients']>[number] {
  return {
    client_id: 'my-account-bff',
    client_secret: `demo-client-secret-${randomBytes(24).toString('base64url')}`,
    name: 'My Account gateway',
    callbacks: [
      'http://localhost:3000/auth/callback',
      'http://localhost:3000/auth/connect/callback',
    ],
    allowed_logout_urls: ['http://localhost:3000', 'http://localhost:3000/'],
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials', ...embeddedGrants],
  };
}

/** Checks options, or a parsed JSON file, whole; throws a SettingsError with every problem. */
export function checkOptions(input: unknown): CheckedOptions {
  const given = z.record(z.string(), z.unknown()).parse(input ?? {});
  const defined = Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined),
  );
  const isPlace = (name: string): boolean => name in placeSchema.shape;
  const placeInput = Object.fromEntries(Object.entries(defined).filter(([name]) => isPlace(name)));
  const settingsInput = Object.fromEntries(
    Object.entries(defined).filter(([name]) => !isPlace(name)),
  );
  const place = placeSchema.safeParse(placeInput);
  const rest = settingsSchema.safeParse(settingsInput);
  const issues = [...(place.error?.issues ?? []), ...(rest.error?.issues ?? [])];
  if (!place.success || !rest.success) {
    const lines = issues.map((issue) => `  ${issue.path.join('.') || '(root)'}: ${issue.message}`);
    throw new SettingsError(
      `The tenant's settings have ${lines.length} problem${lines.length === 1 ? '' : 's'}:\n${lines.join('\n')}`,
    );
  }
  const clients = defined['clients'] === undefined ? [demoClient()] : rest.data.clients;
  const grants =
    defined['grants'] === undefined
      ? clients.map(({ client_id }) => ({ client_id, scope: myAccountScopes }))
      : rest.data.grants;
  const settings = parseSettings({ ...rest.data, clients, grants });
  const demo = {
    email: 'demo@example.com',
    password: 'demo-password',
    totpSecret: newTotpSecret(),
  };
  return { place: place.data, settings, demo };
}
