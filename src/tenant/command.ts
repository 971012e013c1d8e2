import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { startTenant, type Tenant } from './start.ts';
import { SettingsError } from './state/settings.ts';

const usage = `Usage: npm run tenant -- [options]

  --port N        listen on this port (default 4000; 0 picks a free one)
  --host ADDRESS  listen on this address (default localhost)
  --issuer URL    the public origin, when it is not where the tenant listens
  --plan NAME     whose rate limits hold: free, essentials, professional, enterprise, private-100, …
  --config FILE   settings, users, clients, grants as JSON (docs/tenant.md)
  --control       answer /_control: settings, users, faults, the request log
  --json          print one line of JSON when ready
`;

const flags = {
  port: { type: 'string' },
  host: { type: 'string' },
  issuer: { type: 'string' },
  plan: { type: 'string' },
  config: { type: 'string' },
  control: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

async function readConfig(path: string): Promise<Record<string, unknown>> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new SettingsError(
      `Cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`,
    );
  });
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw new SettingsError(
      `${path} is not JSON: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/**
 * Starts a tenant as the command line says and prints where it is; undefined when only help was
 * asked for. Flags win over the file. Throws SettingsError with every problem of both.
 */
export async function runTenant(
  argv: string[],
  out: { write(text: string): unknown },
): Promise<Tenant | undefined> {
  const { values } = parseArgs({ args: argv, options: flags, strict: true });
  if (values.help === true) {
    out.write(usage);
    return undefined;
  }
  const file = values.config === undefined ? {} : await readConfig(values.config);
  const given = {
    port: values.port === undefined ? undefined : Number(values.port),
    host: values.host,
    issuer: values.issuer,
    plan: values.plan,
    control: values.control,
  };
  const wanted = Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined),
  );
  const tenant = await startTenant({
    host: 'localhost',
    port: 4000,
    control: false,
    ...file,
    ...wanted,
  });
  const client = tenant.settings().clients[0];
  if (values.json === true) {
    const { client_id, client_secret } = client ?? {};
    out.write(
      `${JSON.stringify({ tenant: tenant.url, domain: tenant.domain, client_id, client_secret, user: tenant.demoUser })}\n`,
    );
    return tenant;
  }
  const { email, password, totpSecret } = tenant.demoUser;
  out.write(`
  An Auth0 tenant on this machine:  ${tenant.url}

  AUTH0_DOMAIN         ${tenant.url}
  AUTH0_CLIENT_ID      ${client?.client_id ?? '(no client)'}
  AUTH0_CLIENT_SECRET  ${client?.client_secret ?? '(none)'}

  Sign in as           ${email}
  with password        ${password}
  authenticator secret ${totpSecret}
`);
  return tenant;
}
