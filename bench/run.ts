// npm run bench [-- NAME ...] [--quick]: runs the benchmarks named, or all; writes bench/results.md,
// where what was not run stays, and what was run to .cache/bench.json.
// The quick form takes less than two minutes for all of them together, prints, writes nothing and
// judges nobody: it shows that they still run. Either fails when a benchmark breaks.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { findRedisServer } from '../test/machine/redis-server.ts';
import { markdown, pageWith } from './table.ts';
import type { Bench, Findings } from './table.ts';

// `seconds`: what the quick form may take, so that all of it stays under two minutes.
const benches: Readonly<
  Record<string, { readonly seconds: number; readonly load: () => Promise<Bench> }>
> = {
  limiter: { seconds: 35, load: async () => (await import('./limiter/bench.ts')).limiter },
  reads: { seconds: 25, load: async () => (await import('./reads/bench.ts')).reads },
  sessions: { seconds: 25, load: async () => (await import('./sessions/bench.ts')).sessions },
  proxy: { seconds: 35, load: async () => (await import('./proxy/bench.ts')).proxy },
};
const stuckAfterMs = 180_000;

const args = process.argv.slice(2);
const quick = args.includes('--quick');
const named = args.filter((arg) => !arg.startsWith('--'));
const unknown = named.filter((name) => !(name in benches));
if (unknown.length > 0) {
  console.error(
    `bench: no benchmark ${unknown.join(', ')}; there is ${Object.keys(benches).join(', ')}`,
  );
  process.exit(1);
}

const say = (line: string): void => {
  console.error(`bench: ${line}`);
};
const cache = join(import.meta.dirname, '../.cache');
process.env['REDIS_SERVER'] = findRedisServer(cache, !process.env['TEST_NO_DOWNLOAD'], say);
// What the benchmarks have started ends with this process, whatever ends it.
process.once('SIGTERM', () => process.exit(1));

const page = join(import.meta.dirname, 'results.md');
const findings: Record<string, Findings> = {};
const took: string[] = [];
const began = performance.now();
for (const [name, { seconds: budget, load }] of Object.entries(benches)) {
  if (named.length > 0 && !named.includes(name)) continue;
  const started = performance.now();
  const stuck = setTimeout(() => {
    say(`${name} is stuck`);
    process.exit(1);
  }, stuckAfterMs);
  if (!quick) clearTimeout(stuck);
  try {
    const bench = await load();
    const tables = await bench({ quick, say: (line) => say(`${name}: ${line}`) });
    const seconds = (performance.now() - started) / 1_000;
    took.push(`${name} ${seconds.toFixed(0)} s${quick ? ` of ${budget}` : ''}`);
    findings[name] = {
      ranAt: new Date().toISOString(),
      quick,
      node: process.versions.node,
      cpus: availableParallelism(),
      seconds,
      tables,
    };
    for (const table of tables) console.log(markdown(table));
    if (!quick) {
      writeFileSync(page, pageWith(existsSync(page) ? readFileSync(page, 'utf8') : '', findings));
      mkdirSync(cache, { recursive: true });
      writeFileSync(join(cache, 'bench.json'), `${JSON.stringify(findings, null, 2)}\n`);
    }
  } catch (error) {
    console.error(`\nbench: ${name} BROKE`, error);
    took.push(`${name} broke`);
    process.exitCode = 1;
  } finally {
    clearTimeout(stuck);
  }
}
console.log(
  `The benchmarks took ${((performance.now() - began) / 1_000).toFixed(0)} s: ${took.join(', ')}.`,
);
