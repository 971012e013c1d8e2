// `npm run contract -- FILE [--write]`: holds this repository against a copy of Auth0's OpenAPI
// file of the My Account API and prints one table; exit code 1 when anything differs. With --write
// the factual part of the file first becomes this repository's data, which the tests compare with.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { changesOf, compare, operationsOf, show } from './contract/compare.ts';
import { factualPart } from './contract/factual-part.ts';
import { readHouse } from './contract/house.ts';

const usage = 'Usage: npm run contract -- FILE [--write]\n';
const folder = join(import.meta.dirname, '../test/contracts/auth0');
const read = (file: string) => factualPart(JSON.parse(readFileSync(file, 'utf8')));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { write: { type: 'boolean', default: false } },
});
const [file] = positionals;
if (file === undefined || positionals.length > 1) {
  process.stderr.write(usage);
  process.exit(2);
}
try {
  const given = read(file);
  const data = join(folder, 'my-account.json');
  if (values.write) writeFileSync(data, `${JSON.stringify(given, null, 1)}\n`);
  const elsewhere = operationsOf(read(join(folder, 'profile.json')));
  const { lines, differences } = compare(operationsOf(given), elsewhere, await readHouse());
  const changes = changesOf(read(data), given).map(
    (each) => `the data of this repository: ${each}`,
  );
  process.stdout.write(show({ lines, differences: [...differences, ...changes] }));
  process.exitCode = differences.length + changes.length === 0 ? 0 : 1;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
