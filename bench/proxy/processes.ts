import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

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
  options: { env?: Record<string, string>; ipc?: boolean; stdout?: 'pipe' | 'ignore'; cwd?: string; loud?: boolean } = {},
): ChildProcess => {
  const [program, rest] = pins ? ['taskset', ['-c', String(core), command, ...args]] : [command, [...args]];
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

/** A process and all below it: Apache is several. */
export const treeOf = (pid: number): number[] => {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      parents.set(Number(name), Number(readFileSync(`/proc/${name}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[1]));
    } catch {
      // Ended between the two looks.
    }
  }
  const below = (of: number): number[] => [of, ...[...parents].filter(([, parent]) => parent === of).flatMap(([child]) => below(child))];
  return below(pid);
};

/** Seconds of processor time these processes have used so far, all threads, to the nanosecond (Linux; NaN elsewhere). */
export const cpuOf = (pids: readonly number[]): number => {
  let nanoseconds = 0;
  for (const pid of pids) {
    try {
      for (const task of readdirSync(`/proc/${pid}/task`)) {
        nanoseconds += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
      }
    } catch {
      return NaN;
    }
  }
  return nanoseconds / 1e9;
};

/** Seconds all cores of the machine have been busy so far, and seconds the hypervisor gave to others. */
export const machineOf = (): { busy: number; stolen: number } => {
  const fields = /^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1]?.split(' ').map(Number) ?? [];
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = fields;
  return { busy: (user + nice + system + irq + softirq) / 100, stolen: steal / 100 };
};
