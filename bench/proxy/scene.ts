import { rateLimitSettings } from '../../config/rate-limits.ts';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, untilReady } from '../sessions/stage.ts';
import { type Around } from './measure.ts';
import { secrets } from './tenant.ts';

const root = join(import.meta.dirname, '../..');
const pins = availableParallelism() > 1 && spawnSync('taskset', ['-V']).status === 0;

/** The core of what is measured, and the core of everything around it. */
export const cores = { measured: 0, around: 1 } as const;

/** Whether processes can be bound to a core here; where not, the rows say so. */
export const canPin = pins;

/** Starts a program bound to one core from its first instruction on, with all its threads; its environment is PATH and what is given. */
export const startOn = (
  core: number,
  command: string,
  args: readonly string[],
  options: {
    env?: Record<string, string>;
    ipc?: boolean;
    stdout?: 'pipe' | 'ignore';
    cwd?: string;
    loud?: boolean;
  } = {},
): ChildProcess => {
  const [program, rest] = pins
    ? ['taskset', ['-c', String(core), command, ...args]]
    : [command, [...args]];
  return spawn(program, rest, {
    cwd: options.cwd ?? root,
    env: { PATH: process.env['PATH'] ?? '', ...options.env },
    stdio: [
      'ignore',
      options.stdout ?? 'ignore',
      options.loud === false ? 'ignore' : 'inherit',
      ...(options.ipc === true ? (['ipc'] as const) : []),
    ],
  });
};

/** Sends a message to a process started with `ipc` and answers what it says next. */
export const ask = async (child: ChildProcess, message: object): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const gone = (): void => reject(new Error(`process ${child.pid} of the benchmark has ended`));
    child.once('exit', gone);
    child.once('message', (answer) => {
      child.removeListener('exit', gone);
      resolve(answer);
    });
    child.send(message);
  });

const numbersIn = (folder: string): string[] => {
  try {
    return readdirSync(folder).filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
};

const textOf = (file: string): string | undefined => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // Ended between the two looks, or not Linux.
    return undefined;
  }
};

// The fields of /proc/PID/stat from the third on: a program's name may hold anything but its closing bracket comes last.
const statOf = (pid: number | string): string[] | undefined =>
  textOf(`/proc/${pid}/stat`)?.split(') ').at(-1)?.split(' ');

/** A process and all below it: Apache is several. */
export const treeOf = (pid: number): number[] => {
  const parents = numbersIn('/proc').map(
    (name) => [Number(name), Number(statOf(name)?.[1])] as const,
  );
  const below = (of: number): number[] => [
    of,
    ...parents.filter(([, parent]) => parent === of).flatMap(([child]) => below(child)),
  ];
  return below(pid);
};

/** Seconds of processor time these processes have used so far, all threads: to the nanosecond where Linux counts so, else in its ticks; NaN elsewhere. */
export const cpuOf = (pids: readonly number[]): number => {
  let seconds = 0;
  for (const pid of pids) {
    const threads = numbersIn(`/proc/${pid}/task`).map((task) =>
      textOf(`/proc/${pid}/task/${task}/schedstat`),
    );
    const stat = statOf(pid);
    if (threads.length > 0 && threads.every((each) => each !== undefined)) {
      seconds += threads.reduce((sum, each) => sum + Number(each.split(' ')[0]), 0) / 1e9;
    } else if (stat !== undefined) seconds += (Number(stat[11]) + Number(stat[12])) / 100;
    else return NaN;
  }
  return seconds;
};

/** Seconds all cores of the machine have been busy so far, and seconds the hypervisor gave to others. */
export const machineOf = (): { busy: number; stolen: number } => {
  const fields =
    /^cpu +(.*)$/m
      .exec(textOf('/proc/stat') ?? '')?.[1]
      ?.split(' ')
      .map(Number) ?? [];
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = fields;
  return { busy: (user + nice + system + irq + softirq) / 100, stolen: steal / 100 };
};

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
  gateway(options?: {
    env?: Record<string, string>;
    flags?: readonly string[];
    program?: string;
    core?: number;
  }): Promise<{
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
const { scripts } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { scripts: { start: string } };
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
    startOn(cores.around, redisServer, [
      '--port',
      String(redisPort),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--dir',
      folder,
    ]),
  );
  const upstream = own(
    startOn(cores.around, node, ['bench/proxy/upstream.ts', String(upPort)], { ipc: true }),
  );
  const startLoad = (): ChildProcess =>
    own(startOn(cores.around, node, ['bench/proxy/load.ts'], { ipc: true }));
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
        Object.keys(rateLimitSettings).map((name) => [name, '1000000']),
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
