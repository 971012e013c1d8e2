import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';

const source = (name: string): string =>
  JSON.stringify(new URL(`../../../src/gateway/http/${name}`, import.meta.url).href);
// Logs far more than is held, says how many lines were dropped, and that its timers still run.
const program = `
  import { createLog } from ${source('log.ts')};
  import { droppedLines } from ${source('log-destination.ts')};
  import { setTimeout as sleep } from 'node:timers/promises';
  const log = createLog();
  for (let i = 0; i < 40; i += 1) {
    for (let j = 0; j < 500; j += 1) log.info({ count: i }, 'a line like any other, of a hundred bytes or so');
    log.warn({ count: i }, 'a warning');
    await sleep(1);
  }
  process.stderr.write(JSON.stringify({ dropped: droppedLines() }) + '\\n');
  process.exit(0);`;

let folder: string | undefined;
const descriptors: number[] = [];
afterEach(() => {
  for (const each of descriptors.splice(0)) closeSync(each);
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

/** Runs the program with this standard output; answers how it ended and how many lines it dropped. */
const run = async (output: 'pipe' | number): Promise<{ code: unknown; dropped: number }> => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', output, 'pipe'],
  });
  const impatience = setTimeout(() => child.kill('SIGKILL'), 30_000);
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
  const [code] = (await once(child, 'exit')) as [unknown];
  clearTimeout(impatience);
  return {
    code,
    dropped: (
      JSON.parse(said.split('\n').find((line) => line.startsWith('{')) ?? '{"dropped":-1}') as {
        dropped: number;
      }
    ).dropped,
  };
};

const fifo = (): number => {
  folder = mkdtempSync(join(tmpdir(), 'log-'));
  const path = join(folder, 'pipe');
  expect(spawnSync('mkfifo', [path]).status).toBe(0);
  // Open for both ends, so that neither is missing; nobody ever reads.
  const descriptor = openSync(path, constants.O_RDWR);
  descriptors.push(descriptor);
  return descriptor;
};

describe('a log that cannot be written drops lines, counts them, and neither ends nor stops the process', () => {
  test('on a full disk', async () => {
    const full = openSync('/dev/full', 'w');
    descriptors.push(full);
    const { code, dropped } = await run(full);
    expect(code).toBe(0);
    expect(dropped).toBeGreaterThan(1_000);
  });

  test('to a pipe that nobody reads', async () => {
    const { code, dropped } = await run(fifo());
    expect(code).toBe(0);
    expect(dropped).toBeGreaterThan(1_000);
  });

  test('to a socket that nobody reads', async () => {
    // Node's own pipes are sockets; this one is never read from.
    const { code, dropped } = await run('pipe');
    expect(code).toBe(0);
    expect(dropped).toBeGreaterThan(1_000);
  });

  test('to a reader that has gone', async () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.destroy();
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    const [code] = (await once(child, 'exit')) as [unknown];
    expect(code).toBe(0);
    expect((JSON.parse(said) as { dropped: number }).dropped).toBeGreaterThan(1_000);
  });
});
