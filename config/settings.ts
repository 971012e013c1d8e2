import { z } from 'zod';
import {
  algorithms,
  domain,
  folder,
  onOff,
  optional,
  origin,
  proxies,
  redisUrl,
  secrets,
  signingKey,
  whole,
} from './checks.ts';
import { contradictions } from './contradictions.ts';
import { plans, type PlanName } from './plans.ts';
import { rateLimitSettings } from './rate-limits.ts';

const loginScope =
  'openid profile email offline_access read:me:authentication_methods read:me:factors read:me:connected_accounts';
const mfa = 'http://schemas.openid.net/pape/policies/2007/06/multi-factor';
const planNames = Object.keys(plans) as [PlanName, ...PlanName[]];

/** Every setting of the gateway: its environment name, how it is checked, its default and what it means; docs/settings.md is tested against this table. */
export const settings = {
  AUTH0_DOMAIN: {
    check: domain,
    meaning: 'canonical or custom domain of the tenant, used for login, audience and API alike',
  },
  AUTH0_CLIENT_ID: {
    check: z.string('is missing: the client id of the regular web application').min(1),
    meaning: 'the regular web application',
  },
  AUTH0_CLIENT_SECRET: { check: optional, meaning: 'client authentication by secret' },
  AUTH0_CLIENT_ASSERTION_SIGNING_KEY: {
    check: signingKey.optional(),
    meaning: 'client authentication by private_key_jwt (PEM)',
  },
  AUTH0_CLIENT_ASSERTION_SIGNING_ALG: {
    check: z.enum(['RS256', 'RS384', 'PS256']).default('RS256'),
    meaning: 'the algorithm of that key',
  },
  AUTH0_SECRET: {
    check: secrets,
    meaning: 'seals sessions; a comma-separated list rotates it: the first seals, all open',
  },
  AUTH0_SCOPE: {
    check: z.string().default(loginScope),
    meaning: 'scopes asked for at login, usable without step-up',
  },
  AUTH0_SILENT_SCOPE: {
    check: z.string().default(''),
    meaning:
      'scopes tried for by a refresh before a step-up, usable without one; for multi-resource refresh tokens',
  },
  AUTH0_PUSHED_AUTHORIZATION_REQUESTS: {
    check: z.enum(['auto', 'on', 'off']).default('auto'),
    meaning: 'RFC 9126; auto: when the tenant offers it',
  },
  AUTH0_REQUEST_OBJECTS: {
    check: onOff.default(false),
    meaning: 'sign authorization requests (JAR, RFC 9101); needs the signing key',
  },
  AUTH0_DPOP: {
    check: onOff.default(false),
    meaning: 'sender-constrained tokens (RFC 9449), an ES256 key per session',
  },
  AUTH0_REFRESH_MODE: {
    check: z.enum(['offline', 'online'], 'must be offline or online').default('offline'),
    meaning:
      'offline: rotated refresh tokens; online (beta): online_access, bound to the session at Auth0 and not rotated',
  },
  AUTH0_REFRESH_LEEWAY: {
    check: whole(0, 300).default(0),
    meaning: 'seconds the tenant lets the previous refresh token be used again',
  },
  AUTH0_REFRESH_LIFETIME: {
    check: whole(60, 3_650 * 86_400).default(30 * 86_400),
    meaning:
      "seconds after sign-in at which the tenant's refresh tokens end (absolute lifetime); no session outlives them",
  },
  AUTH0_PASSWORD_REALM: {
    check: optional,
    meaning: 'switches POST /auth/password on, for this database connection',
  },
  AUTH0_PASSKEYS: {
    check: onOff.default(false),
    meaning: 'switches the native passkey routes on (the tenant needs a custom domain)',
  },
  ID_TOKEN_ALGORITHMS: {
    check: algorithms,
    meaning: 'which signatures of ID and logout tokens are taken, separated by commas',
  },
  APP_BASE_URL: { check: origin, meaning: 'the public origin of the gateway' },
  AUTH0_PLAN: {
    check: z.enum(planNames, `must be one of: ${planNames.join(', ')}`).default('enterprise'),
    meaning: "which of Auth0's published rate-limit rows holds",
  },
  ...rateLimitSettings,
  BUDGET_DEADLINE: {
    check: whole(0, 60_000).default(2_500),
    meaning: 'milliseconds a request may wait in line for its slot; 0 refuses at once',
  },
  STEP_UP_ACR_VALUES: {
    check: z.string().default(mfa),
    meaning: 'asked for and verified at step-up; empty: more scope alone is enough',
  },
  STEP_UP_MAX_AGE: {
    check: whole(30, 86_400).default(900),
    meaning: 'seconds a step-up stays good for scopes beyond AUTH0_SCOPE',
  },
  SESSION_IDLE_TIMEOUT: {
    check: whole(1, 30 * 86_400).default(86_400),
    meaning: 'seconds without a request after which a session ends',
  },
  SESSION_ABSOLUTE_TIMEOUT: {
    check: whole(1, 90 * 86_400).default(3 * 86_400),
    meaning: 'seconds after sign-in at which a session ends',
  },
  UPSTREAM_CONNECT_TIMEOUT: {
    check: whole(10, 60_000).default(2_000),
    meaning: 'milliseconds to reach Auth0',
  },
  READ_KEEP_SECONDS: {
    check: whole(0, 300).default(30),
    meaning:
      'how long an answer is given again without asking Auth0, following each write; equal reads are joined as well. 0: off',
  },
  UPSTREAM_ANSWER_TIMEOUT: {
    check: whole(10, 120_000).default(10_000),
    meaning: "milliseconds until Auth0's answer is complete",
  },
  TOKEN_EXCHANGE_TIMEOUT: {
    check: whole(100, 120_000).default(30_000),
    meaning:
      "milliseconds until Auth0's token endpoint has answered a refresh; nobody waits as long, but its token is spent",
  },
  REDIS_URL: {
    check: redisUrl.optional(),
    meaning:
      'redis://, rediss://, Sentinel and Cluster forms; none: sessions and limits live in this process',
  },
  REDIS_KEY_PREFIX: {
    check: z
      .string()
      .regex(/^[\w.-]{1,32}$/, 'must be letters, digits, ".", "_" or "-"')
      .default('mab'),
    meaning:
      "begins every key and channel in Redis but those of Auth0's limits, which gateways for one tenant share in any case",
  },
  REDIS_WAIT_MS: {
    check: whole(0, 4_000).optional(),
    meaning:
      'milliseconds a renewal waits for a replica to have it, 0: not at all; 3000 unless given with Sentinel and Cluster, else 0',
  },
  INSTANCES: {
    check: whole(1, 1_000).default(1),
    meaning: 'how many gateways run side by side; more than one needs REDIS_URL',
  },
  PORT: { check: whole(0, 65_535).default(3_000), meaning: 'where it listens' },
  HOST: { check: z.string().default('::'), meaning: 'the address it listens on' },
  ADMIN_PORT: {
    check: whole(0, 65_535).default(9_464),
    meaning: 'health and metrics, apart from the public port',
  },
  ADMIN_HOST: {
    check: z.string().default('127.0.0.1'),
    meaning: 'the address health and metrics listen on',
  },
  TRUST_PROXY: {
    check: proxies.optional(),
    meaning: "which proxies' X-Forwarded-* are believed: addresses, ranges, or a number of hops",
  },
  ME_AT_ROOT: {
    check: onOff.default(false),
    meaning: 'answers /me/* as /api/me/*, as Universal Components with baseUrl "/" ask for',
  },
  WELL_KNOWN: {
    check: z
      .string()
      .regex(/^\/(?![/\\])[\w.~/-]*$/, 'must be a path of this origin, for example / or /account')
      .optional(),
    meaning:
      'the account page, to which /.well-known/passkey-endpoints and /.well-known/change-password then lead',
  },
  WEB_ROOT: { check: folder.optional(), meaning: 'serve this folder as the front end' },
  WEB_ORIGIN: { check: origin.optional(), meaning: 'forward everything else to this dev server' },
  LOG_LEVEL: {
    check: z.enum(['silent', 'fatal', 'error', 'warn', 'info', 'debug']).default('info'),
    meaning: 'how much is logged, as JSON lines',
  },
  DRAIN_DELAY_SECONDS: {
    check: whole(0, 600).default(5),
    meaning:
      'how long it still answers after SIGTERM while not ready, before it closes its listener',
  },
  DRAIN_SECONDS: {
    check: whole(0, 600).default(35),
    meaning:
      'how long open requests and exchanges may finish after SIGTERM; longer than TOKEN_EXCHANGE_TIMEOUT',
  },
} as const;

type Table = typeof settings;
/** All settings, checked; the names are those of the environment. */
export type Settings = { [name in keyof Table]: z.output<Table[name]['check']> };

/** A start that cannot go on: every problem of the settings at once, each with its mend. */
export class SettingsError extends Error {
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(
      `The settings have ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n${problems.map((each) => `  - ${each}`).join('\n')}`,
    );
    this.problems = problems;
  }
}

/** Checks an environment whole and answers the settings, or throws a SettingsError that lists every problem; an empty value counts as not set. */
export const readSettings = (environment: Record<string, string | undefined>): Settings => {
  const found: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const [name, { check }] of Object.entries(settings)) {
    const value = environment[name]?.trim();
    const empty = value === undefined || (value === '' && name !== 'STEP_UP_ACR_VALUES');
    const result = check.safeParse(empty ? undefined : value);
    if (result.success) found[name] = result.data;
    else problems.push(...result.error.issues.map((issue) => `${name} ${issue.message}`));
  }
  if (found['AUTH0_REFRESH_MODE'] === 'online' && (environment['AUTH0_SCOPE'] ?? '').trim() === '')
    found['AUTH0_SCOPE'] = loginScope.replace('offline_access', 'online_access');
  problems.push(...contradictions(environment, found));
  if (problems.length > 0) throw new SettingsError(problems);
  return found as Settings;
};
