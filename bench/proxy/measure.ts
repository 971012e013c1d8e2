import autocannon from 'autocannon';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** What one round over one arrangement gave. */
export interface Round {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** Microseconds of processor time of the measured process per answered request. */
  readonly cpuPerRequest: number;
  /** Share of its core that the load generator and everything beside it used; near 1 the row is not to be trusted. */
  readonly loadShare: number;
  readonly failed: number;
}

const ticksPerSecond = 100;

/** Processor seconds that a process has used so far (Linux). */
export const cpuOf = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
};

/** Binds a process to a processor where `taskset` is there; without it the processes share all of them. */
export const pin = (pid: number, cpu: number): void => {
  try {
    execFileSync('taskset', ['-a', '-cp', String(cpu), String(pid)], { stdio: 'ignore' });
  } catch {
    // Measured all the same: the ratios are wider, and the table says how busy the load side was.
  }
};

/** Loads one arrangement with so many connections for so many seconds; only answers of the expected status count. */
export const load = async (
  target: { url: string; pid: number; cookies: readonly string[]; status: number },
  connections: number,
  seconds: number,
): Promise<Round> => {
  const before = cpuOf(target.pid);
  const own = process.cpuUsage();
  let turn = 0;
  const result = await autocannon({
    url: target.url,
    connections,
    duration: seconds,
    setupClient(client) {
      const cookie = target.cookies[turn++ % Math.max(1, target.cookies.length)];
      client.setHeaders({ 'x-csrf': '1', ...(cookie !== undefined && { cookie }) });
    },
  });
  const used = cpuOf(target.pid) - before;
  const { user, system } = process.cpuUsage(own);
  const good = result.statusCodeStats?.[`${target.status}`]?.count ?? 0;
  return {
    perSecond: good / result.duration,
    p50: result.latency.p50,
    p99: result.latency.p99,
    cpuPerRequest: (used * 1e6) / Math.max(1, good),
    loadShare: (user + system) / 1e6 / result.duration,
    failed: result.requests.total - good + result.errors,
  };
};

/** The middle one. */
export const median = (numbers: readonly number[]): number => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;
