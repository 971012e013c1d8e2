import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { freePort } from '../sessions/stage.ts';
import { type Table } from '../table.ts';
import { type Finding, judge, median } from './measure.ts';
import { cpuOf, type Scene, startFlags, treeOf } from './scene.ts';
import { type BenchTenant, secrets } from './tenant.ts';

const root = join(import.meta.dirname, '../..');

/** The program as `npm run build` leaves it. */
export const builtProgram = 'dist/src/main.js';

/** Whether it was built here. */
export const isBuilt = (): boolean => existsSync(join(root, builtProgram));

const answers = async (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    request({ port, host: '127.0.0.1', path: '/readyz', agent: false }, (message) => {
      message.resume();
      resolve(message.statusCode === 200);
    })
      .once('error', () => resolve(false))
      .end();
  });

/** Seconds from the start of a program until it says that it is ready, on both cores as for users; everything else is idle meanwhile. */
const once = async (
  flags: readonly string[],
  program: string,
  env: Record<string, string>,
): Promise<number> => {
  const port = await freePort();
  const began = performance.now();
  const child = spawn(process.execPath, [...flags, program, 'start'], {
    cwd: root,
    env: {
      PATH: process.env['PATH'] ?? '',
      PORT: String(port),
      ADMIN_PORT: '0',
      HOST: '127.0.0.1',
      APP_BASE_URL: `http://localhost:${port}`,
      ...env,
    },
    stdio: 'ignore',
  });
  try {
    while (!(await answers(port))) {
      if (performance.now() - began > 20_000 || child.exitCode !== null)
        throw new Error(`${program} did not get ready`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return (performance.now() - began) / 1_000;
  } finally {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }
};

/** From the command to a ready gateway, with Redis and without, from the source (`npm start`) and built. */
export const starting = async (scene: Scene, times: number): Promise<Finding[]> => {
  const base = {
    AUTH0_DOMAIN: scene.upstream,
    AUTH0_CLIENT_ID: 'bench',
    AUTH0_CLIENT_SECRET: 'a client secret of the benchmark',
    AUTH0_SECRET: secrets.ours,
  };
  const ways = [
    { name: 'with Redis', env: { ...base, REDIS_URL: scene.redisUrl } },
    { name: 'without Redis', env: base },
  ];
  const findings: Finding[] = [];
  const built = {
    flags: startFlags.filter((flag) => !flag.startsWith('--import')),
    program: builtProgram,
  };
  for (const { flags, program } of [
    { flags: startFlags, program: 'src/main.ts' },
    ...(isBuilt() ? [built] : []),
  ]) {
    for (const { name, env } of ways) {
      const seconds: number[] = [];
      for (let i = 0; i < times; i += 1) seconds.push(await once(flags, program, env));
      const how = `median of ${times} starts of node ${flags.join(' ')} ${program} start, ${Math.min(...seconds).toFixed(2)} to ${Math.max(...seconds).toFixed(2)} s`;
      findings.push(
        judge(
          `start to ready ${name}${program.startsWith('dist') ? ', built' : ''}, s`,
          median(seconds),
          { most: 0.5, stretch: 0.3 },
          how,
          [],
        ),
      );
    }
  }
  return findings;
};

/** Where people sign in: its origin, its processes and the address that starts it. */
export interface Door {
  readonly name: string;
  readonly origin: string;
  readonly pid: number;
  readonly start: string;
}

/**
 * Logins at the local tenant, which knows the person already: start, redirects, code, callback, a new session each time. What counts is the processor time
 * of the arrangement alone, since the tenant costs far more than any of them; logins per second per core are what follows from it.
 */
export const logins = async (
  tenant: BenchTenant,
  doors: readonly Door[],
  rounds: number,
  each: number,
): Promise<{ findings: Finding[]; table: Table }> => {
  const costs = new Map<string, number[]>(doors.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round += 1) {
    for (const { name, origin, pid, start } of doors) {
      const people = await Promise.all(
        Array.from({ length: each }, async () => tenant.person(origin)),
      );
      const before = cpuOf(treeOf(pid));
      for (const person of people) {
        const back = await person.visit(start);
        if (back.status !== 200 || !back.url.startsWith(origin))
          throw new Error(`a login at ${name} ended at ${back.url} with ${back.status}`);
      }
      if (round > 0) costs.get(name)?.push((cpuOf(treeOf(pid)) - before) / each);
    }
  }
  const [ours, eoc, ...rest] = doors;
  const cost = (door: Door | undefined): number => median(costs.get(door?.name ?? '') ?? []);
  const ratio = median(
    (costs.get(ours?.name ?? '') ?? []).map(
      (seconds, i) => (costs.get(eoc?.name ?? '')?.[i] ?? NaN) / seconds,
    ),
  );
  const shown = (door: Door | undefined): string =>
    `${(1 / cost(door)).toFixed(0)} (${(cost(door) * 1_000).toFixed(2)} ms each)`;
  return {
    findings: [
      judge(
        "logins per second per core / express-openid-connect's",
        ratio,
        { least: 2, stretch: 3 },
        `${shown(ours)}, theirs ${shown(eoc)}`,
        [],
      ),
    ],
    table: {
      title: 'Logins',
      about: `A login by somebody the local tenant knows already, from the first address to a small page after the callback that only the signed-in see; processor time of the arrangement alone, medians of ${rounds} alternating rounds of ${each}.`,
      columns: ['arrangement', 'logins per second per core'],
      rows: [ours, eoc, ...rest].map((door) => [door?.name ?? '', shown(door)]),
    },
  };
};
