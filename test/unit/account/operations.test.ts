import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { allScopes, operations } from '../../../src/gateway/account/operations.ts';

interface Described {
  readonly operationId?: string;
  readonly security?: readonly Record<string, readonly string[]>[];
  readonly 'x-release-lifecycle'?: string;
}
const file = join(import.meta.dirname, '../../../../shared/reference/myaccount-api-oas.json');

test('there are twelve operations, each with one scope', () => {
  expect(operations).toHaveLength(12);
  expect(new Set(operations.map((operation) => operation.name)).size).toBe(12);
  expect(allScopes).toHaveLength(8);
});

test("the table is Auth0's OpenAPI file: what it marks GA or EA, with its scopes, and nothing else", () => {
  // The file is Auth0's and not part of this project: where it is not at hand there is nothing to compare with.
  if (!existsSync(file)) {
    process.stderr.write('the OpenAPI file of the My Account API is not at hand: the operations table was not compared\n');
    return;
  }
  const { paths } = JSON.parse(readFileSync(file, 'utf8')) as { paths: Record<string, Record<string, Described>> };
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, operation]) => ['GA', 'EA'].includes(operation['x-release-lifecycle'] ?? ''))
      .map(([method, operation]) => ({
        name: operation.operationId,
        method: method.toUpperCase(),
        path: path.replace(/\{\w+\}/, '{id}'),
        scope: operation.security?.[0]?.['Bearer-DPoP']?.join(' '),
      })),
  );
  const ours = operations.map(({ name, method, path, scope }) => ({ name, method, path, scope }));
  const byName = (a: { name?: string | undefined }, b: { name?: string | undefined }) => String(a.name).localeCompare(String(b.name));
  expect(ours.toSorted(byName)).toEqual(described.toSorted(byName));
});
