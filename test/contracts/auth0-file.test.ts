import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { afterAll, describe, expect, test } from '@jest/globals';
import { changesOf, compare, operationsOf } from '../../scripts/contract/compare.ts';
import { factualPart, type Json } from '../../scripts/contract/factual-part.ts';
import { readHouse } from '../../scripts/contract/house.ts';
import { operations } from '../../src/tenant/me/operations.ts';

const read = (name: string) =>
  JSON.parse(readFileSync(join(import.meta.dirname, 'auth0', name), 'utf8')) as Record<
    string,
    Json
  >;
const file = read('my-account.json');
const elsewhere = operationsOf(read('profile.json'));
const house = await readHouse();
const parts = ['gateway', 'limits', 'tenant', 'browser'] as const;

/** The file with one more operation. */
const withMore = (path: string, method: string, operation: Record<string, Json>) => ({
  ...file,
  paths: { ...(file['paths'] as Record<string, Json>), [path]: { [method]: operation } },
});
const invented = withMore('/devices/{device_id}/forget', 'post', {
  operationId: 'forgetDevice',
  description: 'Forgets a device for ever.',
  responses: { '204': { description: 'Forgotten.' } },
  security: [{ 'Bearer-DPoP': ['delete:me:devices'] }],
  'x-release-lifecycle': 'GA',
});
const key = 'POST /devices/{id}/forget';

describe('the data of this repository', () => {
  test('is the factual part of a file, and comes out of the copying as it went in', () => {
    expect(factualPart(file)).toEqual(file);
    expect(operationsOf(file)).toHaveLength(15);
  });

  test('holds no prose: no text of several words but the title', () => {
    const texts: string[] = [];
    const walk = (value: Json): void => {
      if (typeof value === 'string' && /[A-Za-z,.]{2,} [a-z]{2,}/.test(value)) texts.push(value);
      if (typeof value === 'object' && value !== null) Object.values(value).forEach(walk);
    };
    walk(file);
    expect(texts).toEqual([]);
  });

  test('keeps a member that is called like a heading', () => {
    const { properties } = (file['components'] as { schemas: Record<string, Record<string, Json>> })
      .schemas['ErrorResponse'] as {
      properties: Record<string, Json>;
    };
    expect(Object.keys(properties)).toContain('title');
  });
});

describe('the house and the file', () => {
  test('differ in nothing', () => {
    expect(compare(operationsOf(file), elsewhere, house).differences).toEqual([]);
  });

  test.each(parts)('a released operation that only %s lacks is told, and no more', (part) => {
    const less = { ...house, [part]: house[part].filter((one) => one.key !== 'GET /factors') };
    const { differences } = compare(operationsOf(file), elsewhere, less);
    expect(differences).toEqual([expect.stringMatching(/^GET \/factors: .* lacks it \(EA\)$/)]);
  });

  test.each(parts)('an operation that %s has and Auth0 does not is told', (part) => {
    const more = { ...house, [part]: [...house[part], { key, name: 'x', open: true }] };
    const { differences } = compare(operationsOf(file), elsewhere, more);
    expect(differences).toEqual([expect.stringMatching(/has it, the file does not$/)]);
  });

  test('an invented operation is lacking in all four, and one line in each makes it fit', () => {
    const given = operationsOf(factualPart(invented));
    expect(compare(given, elsewhere, house).differences).toHaveLength(4);
    const line = { key, name: 'forgetDevice', scope: 'delete:me:devices', open: true };
    const more = {
      gateway: [...house.gateway, line],
      limits: [...house.limits, line],
      tenant: [...house.tenant, line],
      browser: [...house.browser, line],
    };
    expect(compare(given, elsewhere, more).differences).toEqual([]);
  });

  test('another scope, another name and an answer to what is planned are told', () => {
    const change = (to: object) => ({
      ...house,
      gateway: house.gateway.map((one) => (one.key === 'GET /factors' ? { ...one, ...to } : one)),
    });
    const told = (to: object) => compare(operationsOf(file), elsewhere, change(to)).differences;
    expect(told({ scope: 'read:me:all' })).toEqual([expect.stringContaining('read:me:all')]);
    expect(told({ name: 'factors' })).toEqual([expect.stringContaining('getFactors')]);
    expect(told({ open: false })).toEqual([expect.stringContaining('denies it')]);
    const answered = {
      ...house,
      tenant: [...house.tenant, { key: 'GET /consents', name: 'answers', open: true }],
    };
    expect(compare(operationsOf(file), elsewhere, answered).differences).toEqual([
      expect.stringContaining('though it is planned'),
    ]);
  });

  test('what is published elsewhere is told once the file has it', () => {
    const profile = read('profile.json')['paths'] as Record<string, Record<string, Json>>;
    const given = withMore('/profile', 'get', profile['/profile']?.['get'] as Record<string, Json>);
    expect(compare(operationsOf(given), elsewhere, house).differences).toEqual([
      expect.stringContaining('the file has it now'),
    ]);
  });

  test('a change within an operation or a schema is told with its place', () => {
    const text = JSON.stringify(file).replace('"EA"', '"GA"');
    const given = JSON.parse(text) as typeof file;
    expect(changesOf(file, given)).toEqual([
      '/paths/~1factors/get/x-release-lifecycle: "EA" here, "GA" in the file',
    ]);
  });
});

describe('npm run contract', () => {
  const folder = mkdtempSync(join(tmpdir(), 'contract-'));
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const run = (text: string, ...flags: string[]) => {
    const given = join(folder, 'file.json');
    writeFileSync(given, text);
    const script = join(import.meta.dirname, '../../scripts/contract.ts');
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, given, ...flags], {
      encoding: 'utf8',
    });
    return { status, stdout, stderr };
  };

  test('prints one table and ends with 0 when nothing differs', () => {
    const { status, stdout } = run(JSON.stringify(file));
    expect(stdout).toContain('Nothing differs.');
    expect(status).toBe(0);
    for (const { method, path } of operations) expect(stdout).toContain(`${method} ${path} `);
  });

  test('names what is new and ends with 1', () => {
    const { status, stdout } = run(JSON.stringify(invented));
    expect(status).toBe(1);
    expect(stdout).toContain(`${key}: the tenant lacks it (GA)`);
    expect(stdout).toContain('/paths/~1devices~1{device_id}~1forget: new in the file');
    expect(stdout).not.toContain('for ever');
  });

  test.each(['{}', 'no JSON', '[]'])('says of %s that it is none, and ends with 2', (text) => {
    const { status, stdout, stderr } = run(text);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).not.toBe('');
  });
});
