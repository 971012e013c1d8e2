import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Frame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}
interface Profile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: Frame; readonly children?: readonly number[] }[];
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
export const printProfile = (folder: string, since: number, answers: number, say: (line: string) => void): void => {
  const name = readdirSync(folder).find((file) => file.endsWith('.cpuprofile'));
  if (name === undefined) throw new Error(`no profile was written to ${folder}`);
  const profile = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Profile;
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const parents = new Map(profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
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
      if (frame !== undefined && !file.startsWith('(') && !file.startsWith('node:')) return named(frame, file);
    }
    const own = frames.get(id);
    return own?.functionName.startsWith('(') === true && own.url === '' ? own.functionName : "(Node's own loop)";
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
      say(`${(time / Math.max(1, answers)).toFixed(2).padStart(8)} ${((time / busy) * 100).toFixed(1).padStart(5)} %  ${key}`);
    }
  }
  say(`\nin all ${(busy / Math.max(1, answers)).toFixed(0)} us per answered request, over ${answers} answers`);
};
