#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { enableCompileCache, flushCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, parseEnv } from 'node:util';

const usage = `Usage: my-account-bff <command>

  start    the gateway, configured by the environment or a .env file
  demo     a tenant, the gateway and the account page on this machine   [--port N] [--json]
  tenant   an Auth0 tenant on this machine, alone                       [--port N] [--json] [--help]
  doctor   checks the settings and what the tenant says of itself
`;

enableCompileCache(join(homedir(), '.cache', 'my-account-bff'));

const fileSettings = (): Record<string, string | undefined> => {
  try {
    return parseEnv(readFileSync('.env', 'utf8'));
  } catch {
    return {};
  }
};
const environment = { ...fileSettings(), ...process.env };

const untilStopped = async (): Promise<string> =>
  new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const)
      process.once(signal, () => resolve(signal));
  });

const start = async (): Promise<void> => {
  const [{ createGateway }, { serve }, { catchUnforeseen }] = await Promise.all([
    import('./gateway/index.ts'),
    import('./gateway/serve.ts'),
    import('./gateway/http/unforeseen.ts'),
  ]);
  const gateway = createGateway(environment);
  const unforeseen = catchUnforeseen(gateway);
  const served = await serve(gateway);
  flushCompileCache();
  const signal = await Promise.race([untilStopped(), unforeseen]);
  gateway.log.info({ event: 'stopping', signal }, 'stopping');
  await served.stop();
  if (signal === 'unforeseen') process.exitCode = 1;
};

const demo = async (args: string[]): Promise<void> => {
  const { values } = parseArgs({
    args,
    options: { port: { type: 'string' }, json: { type: 'boolean', default: false } },
  });
  const port = Number(values.port ?? environment['PORT'] ?? 3000);
  const { startDemo } = await import('./demo.ts');
  const { createLog } = await import('./gateway/http/log.ts');
  const { openLogDestination } = await import('./gateway/http/log-destination.ts');
  // Standard output is for the address; the log goes beside it.
  const log = createLog({ level: 'warn', destination: openLogDestination(2) });
  const { stop, ...told } = await startDemo(environment, { port, log });
  if (values.json) process.stdout.write(`${JSON.stringify(told)}\n`);
  else {
    process.stdout.write(`
  The account page:  ${told.gateway}

  Sign in as         ${told.user.email}
  with password      ${told.user.password}
  and, when asked for a code, an authenticator app with the secret
                     ${told.user.totpSecret}

  The tenant:        ${told.tenant}
  Health, metrics:   ${told.admin}/metrics
  Ctrl-C ends everything.
`);
  }
  await untilStopped();
  await stop();
};

const tenant = async (args: string[]): Promise<void> => {
  const { runTenant } = await import('./tenant/command.ts');
  const running = await runTenant(args, process.stdout);
  if (running === undefined) return;
  await untilStopped();
  await running.close();
};

const doctor = async (): Promise<void> => {
  const { examine } = await import('./doctor.ts');
  process.exitCode = await examine(environment, (line) => process.stdout.write(`${line}\n`));
};

const [command = 'help', ...args] = process.argv.slice(2);
const commands: Record<string, (args: string[]) => Promise<void>> = { start, demo, tenant, doctor };
const run = commands[command];
if (run === undefined) {
  process.stdout.write(usage);
  process.exitCode = command === 'help' || command === '--help' ? 0 : 1;
} else {
  try {
    await run(args);
    // What is still open (a pooled connection) is not waited for.
    process.exit();
  } catch (error) {
    const { message = String(error), code } = error as { message?: string; code?: string };
    const taken =
      code === 'EADDRINUSE'
        ? `${message}\nAnother program listens there: choose another port (PORT, ADMIN_PORT, or --port 0 for the demo).`
        : message;
    process.stderr.write(`${taken}\n`);
    process.exit(1);
  }
}
