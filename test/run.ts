// `npm test`: everything this project claims, checked in one go, and one closing line that sums it up.
//   npm test                          all
//   npm test -- --only unit,lint      these steps only
//   npm test -- step-up               only test files whose path matches
//   npm test -- --offline             (or TEST_NO_DOWNLOAD=1) download nothing: say what is missing and how to install it
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findChromium } from './machine/chromium.ts';
import { Missing } from './machine/on-path.ts';
import { findRedisServer } from './machine/redis-server.ts';

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const root = join(import.meta.dirname, '..');
const cache = join(root, '.cache');
const results = join(cache, 'results');
const bin = (name: string): string => join(root, 'node_modules', name);

// Each a fact about the source as a whole: counted as one test.
const checks: Record<string, string[]> = {
  types: [bin('typescript/bin/tsc'), '--noEmit', '-p', 'tsconfig.json'],
  'types-browser': [bin('typescript/bin/tsc'), '--noEmit', '-p', 'src/browser/tsconfig.json'],
  lint: [bin('eslint/bin/eslint.js'), '.', '--max-warnings', '0'],
  format: [bin('prettier/bin/prettier.cjs'), '--check', '--log-level', 'warn', '.'],
};
// What runs together shares its workers, and more of them than cores: most tests wait for a timer or for another process.
const runs = [
  {
    suites: ['unit', 'contracts', 'integration'],
    workers: Math.max(4, availableParallelism() * 3),
  },
  { suites: ['browser'], workers: 1 },
];
const suites = runs.flatMap((run) => run.suites);
const minutes = 30;
const needsRedis = ['unit', 'contracts', 'integration', 'browser'];
const needsChromium = ['browser'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', multiple: true },
    offline: { type: 'boolean', default: false },
  },
});
const known = [...Object.keys(checks), ...suites];
const wanted = (
  values.only ?? (positionals.length > 0 ? [suites.join(',')] : [known.join(',')])
).flatMap((list) => list.split(','));
const download = !values.offline && !process.env['TEST_NO_DOWNLOAD'];
const say = (line: string): void => void process.stdout.write(`${line}\n`);

for (const name of wanted) {
  if (known.includes(name)) continue;
  say(`there is no step "${name}"; the steps are ${known.join(', ')}`);
  process.exit(1);
}
rmSync(results, { recursive: true, force: true });
mkdirSync(results, { recursive: true });

const total: Counts = { passed: 0, failed: 0, skipped: 0 };
const lines: string[] = [];
function add(name: string, counts: Counts, seconds: number): void {
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
  lines.push(`${counts.failed > 0 ? '✗' : '✓'} ${name}: ${sum(counts)} (${seconds.toFixed(1)} s)`);
  say(lines.at(-1) ?? '');
}

await Promise.all([
  ...Object.keys(checks)
    .filter((name) => wanted.includes(name))
    .map(check),
  runSuites(),
]);

if (lines.length > 1) say(`\n${lines.join('\n')}`);
const ran = total.passed + total.failed > 0;
if (!ran) say('nothing ran');
say(sum(total));
process.exitCode = total.failed > 0 || !ran ? 1 : 0;

function sum({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

async function check(name: string): Promise<void> {
  const started = performance.now();
  const { code, output } = await start(checks[name] ?? [], { minutes: 15, quiet: true });
  if (code !== 0) say(`\n${name}:\n${output.trimEnd()}`);
  add(
    name,
    { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 },
    (performance.now() - started) / 1000,
  );
}

/** The environment the suites run in, with the real programs they drive; undefined, and one failure counted, when one cannot be had. */
async function prepare(): Promise<NodeJS.ProcessEnv | undefined> {
  const env: NodeJS.ProcessEnv = { ...process.env, NODE_ENV: 'test' };
  try {
    if (wanted.some((name) => needsRedis.includes(name)))
      env['REDIS_SERVER'] = findRedisServer(cache, download, say);
    if (wanted.some((name) => needsChromium.includes(name)))
      env['CHROMIUM'] = await findChromium(cache, download, say);
    return env;
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    say(`\n${error.message}`);
    add('what the tests need', { passed: 0, failed: 1, skipped: 0 }, 0);
    return undefined;
  }
}

async function runSuites(): Promise<void> {
  if (!suites.some((name) => wanted.includes(name))) return;
  const env = await prepare();
  if (env === undefined) return;
  // What the browser suite and the stack show is the page as it stands, not as it was built some time ago.
  await start([join(root, 'scripts/build.ts'), '--page'], { minutes: 5, quiet: true });
  await Promise.all(
    runs.map(async (run) => {
      const names = run.suites.filter((name) => wanted.includes(name));
      if (names.length > 0) await runJest(names, run.workers, env);
    }),
  );
}

async function runJest(names: string[], workers: number, env: NodeJS.ProcessEnv): Promise<void> {
  const file = join(results, `${names.join('-')}.json`);
  const started = performance.now();
  const folders = `test/(${names.join('|')})/`;
  const patterns =
    positionals.length > 0 ? positionals.map((each) => `${folders}.*${each}`) : [folders];
  const jest = [
    bin('jest/bin/jest.js'),
    `--maxWorkers=${workers}`,
    '--json',
    `--outputFile=${file}`,
  ];
  const node = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const some = positionals.length > 0 ? ['--passWithNoTests'] : [];
  const { code } = await start([...node, ...jest, ...some, ...patterns], {
    minutes,
    quiet: false,
    env,
  });
  const seconds = (performance.now() - started) / 1000;
  const counts = count(file, names);
  const red = [...counts.values()].some(({ failed }) => failed > 0);
  // A run that ended badly without a failure of a test is one.
  if (code !== 0 && !red)
    add(`the run of ${names.join(', ')}`, { passed: 0, failed: 1, skipped: 0 }, seconds);
  for (const [name, of] of counts) add(name, of, seconds);
}

interface Report {
  readonly testResults: {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: { readonly status: string }[];
  }[];
}

/** What Jest counted of each suite; a file that could not be loaded is a failure. */
function count(file: string, names: string[]): Map<string, Counts> {
  const counts = new Map(names.map((name) => [name, { passed: 0, failed: 0, skipped: 0 }]));
  let report: Report;
  try {
    report = JSON.parse(readFileSync(file, 'utf8')) as Report;
  } catch {
    return counts;
  }
  for (const { name: path, status, assertionResults } of report.testResults) {
    const of = counts.get(names.find((name) => path.includes(`/test/${name}/`)) ?? '');
    if (of === undefined) continue;
    for (const each of assertionResults)
      of[each.status === 'passed' || each.status === 'failed' ? each.status : 'skipped'] += 1;
    if (status === 'failed' && !assertionResults.some((each) => each.status === 'failed'))
      of.failed += 1;
  }
  return counts;
}

/** Runs Node with these arguments in a process group of its own, and ends the whole group when its minutes are over. */
async function start(
  args: string[],
  options: { minutes: number; quiet: boolean; env?: NodeJS.ProcessEnv },
): Promise<{ code: number; output: string }> {
  const stdio = options.quiet ? 'pipe' : 'inherit';
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: options.env ?? process.env,
    stdio: ['ignore', stdio, stdio],
    detached: true,
  });
  const end = (): void => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  };
  const timer = setTimeout(() => {
    say(`stopped: still running after ${options.minutes} minutes`);
    end();
  }, options.minutes * 60_000);
  process.once('SIGINT', end);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  const code = await new Promise<number>((resolve) => {
    child.once('close', (exit) => {
      resolve(exit ?? 1);
    });
  });
  clearTimeout(timer);
  process.removeListener('SIGINT', end);
  return { code, output };
}
