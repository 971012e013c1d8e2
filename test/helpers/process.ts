import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** A program of this project, running: what it said when it was ready, all it has written since, and its end. */
export interface Running<Ready> {
  readonly pid: number;
  readonly ready: Ready;
  /** Everything written so far, standard output and error together. */
  output(): string;
  /** Asks it to stop (SIGTERM) and answers its exit code; after `patience` milliseconds it is killed and the answer is undefined. */
  stop(patience?: number): Promise<number | undefined>;
  /** Resolves with its exit code when it has ended, undefined after a signal. */
  readonly ended: Promise<number | undefined>;
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>;
}

/** How a program ended: its exit code (undefined after a signal) and all it wrote. */
export interface Ended {
  readonly code: number | undefined;
  readonly output: string;
}

type Environment = Record<string, string>;

// Nothing of the machine's own settings may reach a program under test: only what it needs to run at all.
// And no test but those of the drain waits for a balancer to notice that a gateway goes.
const base: Environment = {
  ...Object.fromEntries(
    ['PATH', 'HOME', 'TMPDIR', 'LANG'].flatMap((name) =>
      process.env[name] === undefined ? [] : [[name, process.env[name] ?? '']],
    ),
  ),
  DRAIN_DELAY_SECONDS: '0',
};

function launch(args: readonly string[], env: Environment, cwd = root) {
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...base, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const collect = (stream: Readable): void => {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  };
  collect(child.stdout);
  collect(child.stderr);
  const ended = new Promise<number | undefined>((resolve) => {
    child.once('close', (code) => {
      resolve(code ?? undefined);
    });
  });
  return { child, ended, output: () => output };
}

// The lines by which the programs say that they are ready: a demo, a tenant, a gateway's log.
const readyLine = /^\{"(gateway|tenant)"|"event":"listening"/;

/**
 * Starts `node src/main.ts ...args` and waits for the JSON line that says it is ready (`--json` is the caller's to give).
 * Throws with all it wrote when it ends first, or when nothing came within two minutes.
 */
export async function startProgram<Ready>(
  args: readonly string[],
  env: Environment = {},
  cwd = root,
): Promise<Running<Ready>> {
  const { child, ended, output } = launch([join(root, 'src/main.ts'), ...args], env, cwd);
  const ready = new Promise<Ready>((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (more: string) => {
      text += more;
      const line = text.split('\n').find((each) => readyLine.test(each));
      if (line !== undefined && text.includes(`${line}\n`)) resolve(JSON.parse(line) as Ready);
    });
    void ended.then((code) => {
      reject(new Error(`${args.join(' ')} ended with ${code}:\n${output()}`));
    });
    setTimeout(() => {
      reject(new Error(`${args.join(' ')} was not ready within two minutes:\n${output()}`));
    }, 120_000).unref();
  });
  const running = {
    pid: child.pid ?? 0,
    output,
    ended,
    async stop(patience = 15_000) {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), patience);
      const code = await ended;
      clearTimeout(timer);
      return code;
    },
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
  try {
    return { ...running, ready: await ready };
  } catch (error) {
    await running.kill();
    throw error;
  }
}

/** Runs `node ...args` in this project to its end, at most `patience` milliseconds. */
export async function runProgram(
  args: readonly string[],
  env: Environment = {},
  patience = 30_000,
): Promise<Ended> {
  const { child, ended, output } = launch(args, env);
  const timer = setTimeout(() => child.kill('SIGKILL'), patience);
  const code = await ended;
  clearTimeout(timer);
  return { code, output: output() };
}
