import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, untilReady } from '../sessions/stage.ts';
import type { Around } from './measure.ts';
import { cores, startOn, treeOf } from './processes.ts';
import { secrets } from './seed.ts';

/** One arrangement that runs: where, as which processes, and the cookies of people who are signed in there. */
export interface Arrangement {
  readonly name: string;
  readonly port: number;
  readonly pids: readonly number[];
  readonly cookies: readonly string[];
}

/** Everything that runs for one benchmark: upstream, Redis and load on one core, what is measured on the other. */
export interface Scene {
  readonly around: Around;
  /** A second process that makes load, for what is asked beside the first. */
  readonly beside: ChildProcess;
  readonly redisUrl: string;
  readonly upstream: string;
  readonly folder: string;
  /** Starts one of servers.ts. */
  server(kind: string, env?: Record<string, string>): Promise<{ port: number; pid: number }>;
  /** Starts the gateway as users do, in its default configuration but for the numbers of the budget, which admit everything; Node may get flags. */
  gateway(options?: { env?: Record<string, string>; flags?: readonly string[]; program?: string; core?: number }): Promise<{
    port: number;
    pid: number;
    child: ChildProcess;
  }>;
  /** Takes on a process to be ended with the scene. */
  owns(child: ChildProcess): void;
  end(): void;
}

/** The body's length of every answer of the upstream. */
export const answerLength = 650;

/** The path of a read whose answer can be had anew by another query. */
export const path = '/api/me/v1/connected-accounts/accounts';

const node = process.execPath;
const { scripts } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { scripts: { start: string } };
/** What `npm start` gives to Node. */
export const startFlags = scripts.start.split(' ').filter((word) => word.startsWith('--'));

const end = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
};

/** Starts what stands around. */
export const openScene = async (): Promise<Scene> => {
  const folder = mkdtempSync(join(tmpdir(), 'bench-proxy-'));
  const children: ChildProcess[] = [];
  const own = (child: ChildProcess): ChildProcess => {
    children.push(child);
    return child;
  };
  const endAll = (): void => {
    process.removeListener('exit', endAll);
    for (const { pid } of children) {
      // Apache's worker processes would outlive their parent.
      for (const each of pid === undefined ? [] : treeOf(pid)) end(each);
    }
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  };
  process.once('exit', endAll);
  const [upPort, redisPort] = [await freePort(), await freePort()];
  const redisServer = process.env['REDIS_SERVER'] ?? 'redis-server';
  const redis = own(
    startOn(cores.around, redisServer, ['--port', String(redisPort), '--bind', '127.0.0.1', '--save', '', '--dir', folder]),
  );
  const upstream = own(startOn(cores.around, node, ['bench/proxy/upstream.ts', String(upPort)], { ipc: true }));
  const startLoad = (): ChildProcess => own(startOn(cores.around, node, ['bench/proxy/load-side.ts'], { ipc: true }));
  const [load, beside] = [startLoad(), startLoad()];
  const redisUrl = `redis://127.0.0.1:${redisPort}`;
  const url = `http://127.0.0.1:${upPort}`;
  await untilReady(`${url}/`);
  return {
    around: { load, upstream, redis },
    beside,
    redisUrl,
    upstream: url,
    folder,
    async server(kind, env = {}) {
      const port = await freePort();
      const { pid = 0 } = own(
        startOn(cores.measured, node, ['bench/proxy/servers.ts', kind, String(port)], {
          env: { UPSTREAM: url, REDIS_URL: redisUrl, NODE_ENV: 'production', ...env },
        }),
      );
      await untilReady(`http://127.0.0.1:${port}/up`);
      return { port, pid };
    },
    async gateway({ env = {}, flags = [], program = 'src/main.ts', core = cores.measured } = {}) {
      const port = await freePort();
      const roomy = Object.fromEntries(
        ['USER', 'TENANT'].flatMap((who) => ['READ', 'FACTORS_READ'].map((of) => [`RATE_LIMIT_${who}_${of}`, '1000000'])),
      );
      const child = own(
        startOn(core, node, [...startFlags, ...flags, program, 'start'], {
          env: {
            AUTH0_DOMAIN: url,
            AUTH0_CLIENT_ID: 'bench',
            AUTH0_CLIENT_SECRET: 'a client secret of the benchmark',
            AUTH0_SECRET: secrets.ours,
            APP_BASE_URL: `http://localhost:${port}`,
            REDIS_URL: redisUrl,
            READ_KEEP_SECONDS: '30',
            PORT: String(port),
            ADMIN_PORT: '0',
            HOST: '127.0.0.1',
            ...roomy,
            ...env,
          },
        }),
      );
      await untilReady(`http://127.0.0.1:${port}/readyz`);
      return { port, pid: child.pid ?? 0, child };
    },
    owns(child) {
      children.push(child);
    },
    end: endAll,
  };
};
