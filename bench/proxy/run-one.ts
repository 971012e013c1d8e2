// node bench/proxy/run-one.ts [--profile] [--rounds N] [--seconds N] [--only ours,usual] [--path PATH --kept]: in half a minute, what a proxied read costs the
// gateway and what it costs a bare proxy. With --profile the gateway runs under --cpu-prof meanwhile, and the functions with the most time of their own are printed.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measure, median, type Round, warmRequests } from './measure.ts';
import { answerLength, type Arrangement, openScene, path } from './scene.ts';
import { seedOurs, seedUsual } from './tenant.ts';

interface Frame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}
interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: Frame;
    readonly children?: readonly number[];
  }[];
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const root = join(import.meta.dirname, '../..');

const fileOf = ({ url, functionName }: Frame): string => {
  if (url === '') return functionName.startsWith('(') ? functionName : '(native)';
  const path = url.startsWith('file:') ? relative(root, fileURLToPath(url)) : url;
  return path.replace(/^.*node_modules\//, '');
};

/** The package a file belongs to; for our own files the room, for Node's the module. */
const packageOf = (file: string): string => {
  if (file.startsWith('(')) return file;
  if (file.startsWith('node:')) return 'node';
  if (/^(src|config|dist)\//.test(file)) return file.replace(/\/[^/]*$/, '');
  return file
    .split('/')
    .slice(0, file.startsWith('@') ? 2 : 1)
    .join('/');
};

const named = ({ functionName, lineNumber }: Frame, file: string): string =>
  `${functionName || '(anonymous)'} ${file}${file.startsWith('(') ? '' : `:${lineNumber + 1}`}`;

/** The moment from which on a profile counts, on the clock that profiles are written with. */
export const profileClock = (): number => Number(process.hrtime.bigint() / 1_000n);

/**
 * Prints where the time of the profile in this folder went from `since` on, in microseconds per answered request and in shares of what was not idle:
 * by package, by who asked for it (Node's own time and the engine's given to the nearest frame of ours or of a package), by file and by function.
 */
export const printProfile = (
  folder: string,
  since: number,
  answers: number,
  say: (line: string) => void,
): void => {
  const name = readdirSync(folder).find((file) => file.endsWith('.cpuprofile'));
  if (name === undefined) throw new Error(`no profile was written to ${folder}`);
  const profile = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Profile;
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const parents = new Map(
    profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)),
  );
  const tables = ['package', 'who asked', 'file', 'function'] as const;
  const by = new Map(tables.map((table) => [table, new Map<string, number>()]));
  const add = (table: (typeof tables)[number], key: string, time: number): void => {
    const map = by.get(table);
    map?.set(key, (map.get(key) ?? 0) + time);
  };
  const askerOf = (id: number): string => {
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const frame = frames.get(at);
      const file = frame === undefined ? '(native)' : fileOf(frame);
      if (frame !== undefined && !file.startsWith('(') && !file.startsWith('node:'))
        return named(frame, file);
    }
    const own = frames.get(id);
    return own?.functionName.startsWith('(') === true && own.url === ''
      ? own.functionName
      : "(Node's own loop)";
  };
  let busy = 0;
  let now = profile.startTime;
  profile.samples.forEach((id, i) => {
    const time = profile.timeDeltas[i] ?? 0;
    now += time;
    const frame = frames.get(id);
    if (now < since || frame === undefined || frame.functionName === '(idle)') return;
    busy += time;
    const file = fileOf(frame);
    add('package', packageOf(file), time);
    add('who asked', askerOf(id), time);
    add('file', file, time);
    add('function', named(frame, file), time);
  });
  for (const [table, map] of by) {
    say(`\nself time by ${table} (us per answered request, share)`);
    const rows = [...map].sort(([, a], [, b]) => b - a).slice(0, 40);
    for (const [key, time] of rows) {
      say(
        `${(time / Math.max(1, answers)).toFixed(2).padStart(8)} ${((time / busy) * 100).toFixed(1).padStart(5)} %  ${key}`,
      );
    }
  }
  say(
    `\nin all ${(busy / Math.max(1, answers)).toFixed(0)} us per answered request, over ${answers} answers`,
  );
};

const { values } = parseArgs({
  options: {
    profile: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '2' },
    only: { type: 'string', default: 'ours' },
    path: { type: 'string', default: path },
    kept: { type: 'boolean', default: false },
    connections: { type: 'string', default: '32' },
  },
});

const scene = await openScene();
try {
  const only = values.only.split(',');
  const bare = await scene.server('bare');
  const running: Arrangement[] = [{ name: 'bare', port: bare.port, pids: [bare.pid], cookies: [] }];
  if (only.includes('usual')) {
    const { port, pid } = await scene.server('usual');
    running.push({
      name: 'usual',
      port,
      pids: [pid],
      cookies: await seedUsual(scene.redisUrl, 64),
    });
  }
  const flags = values.profile ? ['--cpu-prof', `--cpu-prof-dir=${scene.folder}`] : [];
  const gateway = only.includes('ours') ? await scene.gateway({ flags }) : undefined;
  if (gateway !== undefined) {
    running.push({
      name: 'gateway',
      port: gateway.port,
      pids: [gateway.pid],
      cookies: await seedOurs(scene.redisUrl, scene.upstream, 64),
    });
  }
  const found = new Map<string, Round[]>(running.map(({ name }) => [name, []]));
  const job = {
    path: values.path,
    unique: !values.kept,
    connections: Number(values.connections),
    length: answerLength,
  };
  let since = 0;
  for (let round = 0; round <= Number(values.rounds); round += 1) {
    if (round === 1) since = profileClock();
    for (const { name, port, pids, cookies } of running) {
      const one = await measure(scene.around, pids, {
        ...job,
        port,
        cookies,
        seconds: Number(values.seconds),
        ...(round === 0 && { seconds: 10, atMost: warmRequests, connections: 32 }),
      });
      if (round > 0) found.get(name)?.push(one);
    }
  }
  const yard = found.get('bare') ?? [];
  for (const [name, rounds] of found) {
    const of = (what: (one: Round) => number): string => median(rounds.map(what)).toFixed(2);
    const against = (what: (one: Round) => number): string =>
      median(rounds.map((one, i) => what(one) / what(yard[i] ?? one))).toFixed(2);
    console.log(
      `${name.padEnd(8)} cpu/request ${of(({ cpu }) => cpu)} us (x ${against(({ cpu }) => cpu)})  per second ${of((one) => one.perSecond)} (x ${against((one) => one.perSecond)})` +
        `  p50 ${of(({ p50 }) => p50)} ms (x ${against(({ p50 }) => p50)})  p99 ${of(({ p99 }) => p99)} ms (x ${against(({ p99 }) => p99)})\n` +
        `         busy: measured ${of(({ shares }) => shares.measured)} load ${of(({ shares }) => shares.load)} upstream ${of(({ shares }) => shares.upstream)} redis ${of(({ shares }) => shares.redis)} others ${of(({ others }) => others)}` +
        `  answered ${rounds.reduce((sum, { good }) => sum + good, 0)}, upstream saw ${rounds.reduce((sum, { upstream }) => sum + upstream, 0)}, failed ${rounds.reduce((sum, { failed }) => sum + failed, 0)}` +
        ` ${JSON.stringify(rounds.map(({ statuses }) => statuses))}`,
    );
  }
  if (gateway !== undefined && values.profile) {
    const ended = new Promise((resolve) => gateway.child.once('exit', resolve));
    gateway.child.kill('SIGTERM');
    await ended;
    const answers = (found.get('gateway') ?? []).reduce((sum, { good }) => sum + good, 0);
    printProfile(scene.folder, since, answers, (line) => console.log(line));
  }
} finally {
  scene.end();
}
