import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { runLoad, type Job } from '../../../bench/proxy/load.ts';
import { createCommandCounter } from '../../../bench/proxy/flood.ts';

// What the benchmarks say rests on these two: a load that miscounts would flatter whoever answers wrongly.
let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

const listen = async (handler: RequestListener): Promise<number> => {
  const started = createServer(handler);
  server = started;
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
  return (started.address() as AddressInfo).port;
};
const job = (port: number, more: Partial<Job> = {}): Job => ({
  ...{ port, path: '/read', cookies: ['a=1', 'a=2'], connections: 4, seconds: 0.3, length: 5 },
  ...more,
});
const total = (statuses: Readonly<Record<string, number>>): number =>
  Object.values(statuses).reduce((a, b) => a + b, 0);

test('as many answers are counted as the server gave, each to an address of its own', async () => {
  const seen: (string | undefined)[] = [];
  const port = await listen((req, res) => {
    seen.push(req.url);
    res.end('right');
  });
  const { good, broken, statuses } = await runLoad(job(port, { unique: true }));
  expect({ good, broken, total: total(statuses) }).toEqual({
    good: seen.length,
    broken: 0,
    total: seen.length,
  });
  expect(new Set(seen).size).toBe(seen.length);
});

test('an answer in chunks, cut short, of another status or of another length is not a good one', async () => {
  let turn = 0;
  let right = 0;
  const port = await listen((_req, res) => {
    const way = turn++ % 5;
    if (way === 0) {
      right += 1;
      res.end('right');
    } else if (way === 1) res.end('something else');
    else if (way === 2) res.writeHead(503).end('right');
    else if (way === 3) res.destroy();
    else {
      res.write('in ');
      res.end('pieces');
    }
  });
  const { good, broken } = await runLoad(job(port));
  expect(good).toBe(right);
  expect(right).toBeGreaterThan(0);
  expect(broken).toBeGreaterThanOrEqual(right);
});

test('a paced load sends what is due whether the server keeps up or not, and counts the wait', async () => {
  const port = await listen((_req, res) => void setTimeout(() => res.end('right'), 100));
  // Twenty are due in a second; a load that waited for its answers would send ten.
  const { good, p99 } = await runLoad(job(port, { connections: 1, perSecond: 20, seconds: 1 }));
  expect(good).toBeGreaterThan(15);
  expect(p99).toBeGreaterThan(500);
});

test.each([1, 3, 7, 1_000])(
  'commands to Redis are told apart in pieces of %i bytes, whatever they carry',
  (size) => {
    const command = (...words: string[]): string =>
      `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
    const bytes = Buffer.from(
      command('GET', 'a') + command('SET', 'b', '*3\r\n$1\r\n') + command('PING'),
    );
    const count = createCommandCounter();
    let found = 0;
    for (let at = 0; at < bytes.length; at += size) found += count(bytes.subarray(at, at + size));
    expect(found).toBe(3);
  },
);
