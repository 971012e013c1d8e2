import { expect, test } from '@jest/globals';
import {
  allScopes,
  createLookup,
  lookup,
  operations,
  planned,
  type Operation,
} from '../../../../src/gateway/my-account/operations.ts';

// That the table is Auth0's, name by name and scope by scope, is held by test/contracts/auth0-file.test.ts.
test('there are fourteen operations, each with one scope', () => {
  expect(operations).toHaveLength(14);
  expect(new Set(operations.map((operation) => operation.name)).size).toBe(14);
  expect(allScopes).toHaveLength(10);
});

test('what is planned at Auth0 is denied, and its scopes are none to ask for', () => {
  expect(planned.map(({ path }) => path)).toEqual([
    '/consents',
    '/consents/{id}',
    '/organizations',
  ]);
  for (const { path, scope } of planned) {
    expect(lookup.literal(path)).toBeUndefined();
    expect(lookup.segments(path.slice(1).replace('{id}', 'cns_0').split('/'))).toBeUndefined();
    expect(allScopes).not.toContain(scope);
  }
});

test.each([
  ['/devices', ['devices']],
  ['/devices/{id}/forget', ['devices', 'dev_1', 'forget']],
  ['/a/{id}/b/{id}/c', ['a', 'x', 'b', 'y', 'c']],
])('an operation at %s is denied, and one line of the table makes it found', (path, segments) => {
  expect(lookup.segments(segments)).toBeUndefined();
  const line: Operation = {
    name: 'invented',
    method: 'POST',
    path,
    scope: 'create:me:devices',
    bucket: 'authentication_methods_write',
  };
  const extended = createLookup([...operations, line]);
  expect(extended.segments(segments)?.get('POST')).toBe(line);
  expect(extended.segments(segments)?.get('GET')).toBeUndefined();
  expect(extended.literal(path)).toEqual(
    path.includes('{') ? undefined : new Map([['POST', line]]),
  );
});

test('a literal segment wins over {id}, whichever line stands first', () => {
  const line = (path: string): Operation => ({
    name: path,
    method: 'GET',
    path,
    scope: 's',
    bucket: 'authentication_methods_read',
  });
  const rows = ['/a/{id}', '/a/b', '/{id}/b', '/{id}/b/c', '/a/{id}/c'].map(line);
  for (const table of [rows, rows.toReversed()]) {
    const { segments } = createLookup(table);
    const at = (...given: string[]) => segments(given)?.get('GET')?.name;
    expect([at('a', 'b'), at('a', 'x'), at('x', 'b'), at('a', 'b', 'c'), at('x', 'y')]).toEqual([
      '/a/b',
      '/a/{id}',
      '/{id}/b',
      '/a/{id}/c',
      undefined,
    ]);
  }
});
