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
const statOf = (pid: number | string): string[] | undefined => textOf(`/proc/${pid}/stat`)?.split(') ').at(-1)?.split(' ');

/** A process and all below it: Apache is several. */
export const treeOf = (pid: number): number[] => {
  const parents = numbersIn('/proc').map((name) => [Number(name), Number(statOf(name)?.[1])] as const);
  const below = (of: number): number[] => [of, ...parents.filter(([, parent]) => parent === of).flatMap(([child]) => below(child))];
  return below(pid);
};

/** Seconds of processor time these processes have used so far, all threads: to the nanosecond where Linux counts so, else in its ticks; NaN elsewhere. */
export const cpuOf = (pids: readonly number[]): number => {
  let seconds = 0;
  for (const pid of pids) {
    const threads = numbersIn(`/proc/${pid}/task`).map((task) => textOf(`/proc/${pid}/task/${task}/schedstat`));
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
