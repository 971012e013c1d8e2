import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const root = join(import.meta.dirname, '../..');

/** A port of this machine that was free a moment ago. */
export const freePort = async (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

/** Processes of one benchmark, all ended with it. */
export interface Stage {
  /** Starts a program of this project (`node src/main.ts ...`); nothing of this process' environment but PATH reaches it. */
  program(args: readonly string[], env?: Record<string, string>): ChildProcess;
  /** Starts a redis-server with these flags, or as a Sentinel with this configuration. */
  redis(flags: readonly string[], sentinel?: string): ChildProcess;
  end(): void;
}

/** Begins with nothing running. */
export const openStage = (): Stage => {
  const children: ChildProcess[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  const start = (
    command: string,
    args: readonly string[],
    env: Record<string, string>,
    stdout: 'pipe' | 'ignore',
  ): ChildProcess => {
    const child = spawn(command, args, {
      cwd: root,
      env: { PATH: process.env['PATH'] ?? '', ...env },
      stdio: ['ignore', stdout, 'ignore'],
    });
    children.push(child);
    return child;
  };
  const end = (): void => {
    process.removeListener('exit', end);
    for (const child of children) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  };
  process.once('exit', end);
  const redisServer = process.env['REDIS_SERVER'] ?? 'redis-server';
  return {
    program: (args, env = {}) => start(process.execPath, ['src/main.ts', ...args], env, 'pipe'),
    redis(flags, sentinel) {
      if (sentinel === undefined)
        return start(redisServer, ['--save', '', '--dir', folder, ...flags], {}, 'ignore');
      const file = join(folder, `sentinel-${children.length}.conf`);
      writeFileSync(file, sentinel);
      return start(redisServer, [file, '--sentinel'], {}, 'ignore');
    },
    end,
  };
};

/** Waits until an address answers 200, for at most 20 s. */
export const untilReady = async (url: string): Promise<void> => {
  for (let i = 0; i < 400; i += 1) {
    if (
      await fetch(url).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      return;
    await sleep(50);
  }
  throw new Error(`${url} did not get ready`);
};

/** Runs a task for each item, so many at a time. */
export const eachOf = async <T>(
  items: Iterable<T>,
  atOnce: number,
  task: (item: T) => Promise<void>,
): Promise<void> => {
  const queue = items[Symbol.iterator]();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let next = queue.next(); next.done !== true; next = queue.next()) await task(next.value);
    }),
  );
};
