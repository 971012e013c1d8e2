// npm run bench [-- NAME ...] [--quick]: runs the benchmarks named, or all, and writes bench/results.md and bench/results.json.
// The quick form takes less than two minutes, prints, and writes nothing: it judges nobody.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { markdown, pageOf } from './table.ts';
import type { Bench, Findings } from './table.ts';

const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  limiter: async () => (await import('./limiter/bench.ts')).limiter,
  reads: async () => (await import('./reads/bench.ts')).reads,
  sessions: async () => (await import('./sessions/bench.ts')).sessions,
  proxy: async () => (await import('./proxy/bench.ts')).proxy,
};

const args = process.argv.slice(2);
const quick = args.includes('--quick');
const named = args.filter((arg) => !arg.startsWith('--'));
const unknown = named.filter((name) => !(name in benches));
if (unknown.length > 0) {
  console.error(`bench: no benchmark ${unknown.join(', ')}; there is ${Object.keys(benches).join(', ')}`);
  process.exit(1);
}

const kept = join(import.meta.dirname, 'results.json');
const findings = existsSync(kept) ? (JSON.parse(readFileSync(kept, 'utf8')) as Record<string, Findings>) : {};
for (const [name, load] of Object.entries(benches)) {
  if (named.length > 0 && !named.includes(name)) continue;
  const began = performance.now();
  const bench = await load();
  const tables = await bench({
    quick,
    say: (line) => {
      console.error(`bench ${name}: ${line}`);
    },
  });
  const seconds = (performance.now() - began) / 1_000;
  const found = { ranAt: new Date().toISOString(), quick, node: process.versions.node, cpus: availableParallelism(), seconds, tables };
  findings[name] = found;
  for (const table of tables) console.log(markdown(table));
  if (quick) continue;
  writeFileSync(kept, `${JSON.stringify(findings, null, 2)}\n`);
  writeFileSync(join(import.meta.dirname, 'results.md'), pageOf(findings));
}
