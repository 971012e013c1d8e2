import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { findChromium } from '../../machine/chromium.ts';
import { findRedisServer } from '../../machine/redis-server.ts';

const before = { ...process.env };
let cache = '';
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'machine-'));
  process.env['PATH'] = '';
  delete process.env['REDIS_SERVER'];
  delete process.env['CHROMIUM'];
});
afterEach(() => {
  Object.assign(process.env, before);
  rmSync(cache, { recursive: true, force: true });
});

const quiet = (): void => undefined;

test('without a redis-server and without downloads, the run names the command that installs one', () => {
  expect(() => findRedisServer(cache, false, quiet)).toThrow('apt-get install -y redis-server');
});

test('without a Chromium and without downloads, the run names the command that installs one', async () => {
  await expect(findChromium(cache, false, quiet)).rejects.toThrow('apt-get install -y chromium');
});

test('a program that was named is taken, and one that is not there is said to be missing', () => {
  process.env['REDIS_SERVER'] = process.execPath;
  expect(findRedisServer(cache, false, quiet)).toBe(process.execPath);
  process.env['REDIS_SERVER'] = join(cache, 'nothing');
  expect(() => findRedisServer(cache, false, quiet)).toThrow('which is not a program');
});
