// `npm test`: everything this project claims, checked in one go, and one closing line that sums it up.
//   npm test                          all
//   npm test -- --only unit,lint      these steps only
//   npm test -- step-up               only test files whose path matches
//   npm test -- --offline             (or TEST_NO_DOWNLOAD=1) download nothing: say what is missing and how to install it
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
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
const suites: Record<string, { folder: string; args: string[]; minutes: number }> = {
  unit: { folder: 'test/unit/', args: ['--maxWorkers=2'], minutes: 5 },
  contracts: { folder: 'test/contracts/', args: ['--maxWorkers=2'], minutes: 6 },
  integration: { folder: 'test/integration/', args: ['--maxWorkers=2'], minutes: 10 },
  browser: { folder: 'test/browser/', args: ['--runInBand'], minutes: 10 },
};
const needsRedis = ['unit', 'contracts', 'integration', 'browser'];
const needsChromium = ['browser'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string', multiple: true }, offline: { type: 'boolean', default: false } },
});
const known = [...Object.keys(checks), ...Object.keys(suites)];
const wanted = (values.only ?? (positionals.length > 0 ? [Object.keys(suites).join(',')] : [known.join(',')])).flatMap((list) =>
  list.split(','),
);
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

await Promise.all(
  Object.keys(checks)
    .filter((name) => wanted.includes(name))
    .map(check),
);
const env = await prepare();
// What the browser suite and the stack show is the page as it stands, not as it was built some time ago.
if (env) await start([join(root, 'scripts/build.ts'), '--page'], { minutes: 2, quiet: true });
if (env) for (const name of Object.keys(suites).filter((suite) => wanted.includes(suite))) await suite(name, env);

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
  const { code, output } = await start(checks[name] ?? [], { minutes: 5, quiet: true });
  if (code !== 0) say(`\n${name}:\n${output.trimEnd()}`);
  add(name, { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 }, (performance.now() - started) / 1000);
}

/** The environment the suites run in, with the real programs they drive; undefined, and one failure counted, when one cannot be had. */
async function prepare(): Promise<NodeJS.ProcessEnv | undefined> {
  const env: NodeJS.ProcessEnv = { ...process.env, NODE_ENV: 'test' };
  try {
    if (wanted.some((name) => needsRedis.includes(name))) env['REDIS_SERVER'] = findRedisServer(cache, download, say);
    if (wanted.some((name) => needsChromium.includes(name))) env['CHROMIUM'] = await findChromium(cache, download, say);
    return env;
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    say(`\n${error.message}`);
    add('what the tests need', { passed: 0, failed: 1, skipped: 0 }, 0);
    return undefined;
  }
}

async function suite(name: string, env: NodeJS.ProcessEnv): Promise<void> {
  const { folder, args, minutes } = suites[name] ?? { folder: '', args: [], minutes: 1 };
  const file = join(results, `${name}.json`);
  const started = performance.now();
  say(`\n${name}`);
  const patterns = positionals.length > 0 ? positionals.map((pattern) => `${folder}.*${pattern}`) : [folder];
  const options = ['--json', `--outputFile=${file}`, ...(positionals.length > 0 ? ['--passWithNoTests'] : [])];
  const node = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', bin('jest/bin/jest.js')];
  const { code } = await start([...node, ...args, ...options, ...patterns], { minutes, quiet: false, env });
  add(name, count(file, code), (performance.now() - started) / 1000);
}

/** What Jest counted; a file that could not be loaded is a failure, and so is a run that ended badly without one. */
function count(file: string, code: number): Counts {
  let report: Record<string, number>;
  try {
    report = JSON.parse(readFileSync(file, 'utf8')) as Record<string, number>;
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const of = (name: string): number => report[name] ?? 0;
  const failed = of('numFailedTests') + of('numRuntimeErrorTestSuites');
  const skipped = of('numPendingTests') + of('numTodoTests');
  return { passed: of('numPassedTests'), failed: failed === 0 && code !== 0 ? 1 : failed, skipped };
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
