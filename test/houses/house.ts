import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const root = join(import.meta.dirname, '../..');
const installMs = 240_000;
const startMs = 60_000;

// Of this machine only what npm and a program need to run at all: npm's own settings would send it to the folder that this run was started in.
const base = (): Record<string, string> =>
  Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value !== undefined &&
      /^(PATH|HOME|TMPDIR|LANG|https?_proxy|no_proxy|node_extra_ca_certs|ssl_cert_(file|dir)|npm_config_(registry|cache|cafile|https?_proxy|noproxy))$/i.test(
        name,
      )
        ? [[name, value]]
        : [],
    ),
  );

const run = (
  command: string,
  args: readonly string[],
  { cwd, env, ms }: { cwd: string; env: Record<string, string>; ms: number },
): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    const timer = setTimeout(() => endGroup(child.pid), ms);
    child.once('error', reject).once('close', (code) => {
      clearTimeout(timer);
      if (code === 0) resolve();
      else
        reject(
          new Error(
            `${command} ${args.join(' ')} in ${cwd} ended with ${String(code ?? `nothing within ${ms} ms`)}:\n${output}`,
          ),
        );
    });
  });

const endGroup = (pid: number | undefined): void => {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
};

/**
 * Installs what a house needs with `npm ci`, once for each lock, into a folder beside the other caches; returns that folder with the house's files
 * in it. Rejects with all that npm said when it cannot.
 */
export const installHouse = async (name: string): Promise<string> => {
  const from = join(import.meta.dirname, name);
  const hash = createHash('sha256')
    .update(readFileSync(join(from, 'package-lock.json')))
    .digest('hex');
  const folder = join(root, '.cache/houses', `${name}-${hash.slice(0, 16)}`);
  const done = join(folder, '.installed');
  if (!existsSync(done)) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    cpSync(from, folder, { recursive: true });
    await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: folder,
      env: base(),
      ms: installMs,
    });
    writeFileSync(done, '');
  }
  cpSync(from, folder, { recursive: true });
  return folder;
};

/** A house that answers: all it wrote, and its end. */
export interface House {
  output(): string;
  close(): Promise<void>;
}

/** Starts a house that is installed, with these settings and the gateway of this checkout; rejects with all it wrote when it does not say that it is ready. */
export const startHouse = async (
  folder: string,
  settings: Record<string, string>,
): Promise<House> => {
  const env = {
    ...base(),
    NEXT_TELEMETRY_DISABLED: '1',
    GATEWAY: pathToFileURL(join(root, 'src/gateway/index.ts')).href,
    ...settings,
  };
  const child = spawn(process.execPath, ['host.js'], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  // Its pipes may be held open for longer, by processes that it has started.
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const close = async (): Promise<void> => {
    endGroup(child.pid);
    await ended;
    child.stdout.destroy();
    child.stderr.destroy();
  };
  const ready = new Promise<boolean>((resolve) => {
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (/^ready$/m.test(output)) resolve(true);
      });
    void ended.then(() => resolve(false));
    setTimeout(() => resolve(false), startMs).unref();
  });
  if (!(await ready)) {
    await close();
    throw new Error(`${folder} did not get ready:\n${output}`);
  }
  return { output: () => output, close };
};
