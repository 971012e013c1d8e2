import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { z } from 'zod';
import { checkOptions } from '../../../src/tenant/options.ts';
import { switchesSchema } from '../../../src/tenant/state/switches.ts';

const read = (path: string): string =>
  readFileSync(join(import.meta.dirname, '../../..', path), 'utf8');
const page = read('docs/tenant.md');

interface Member {
  default?: unknown;
  description?: string;
  type?: string;
  enum?: unknown[];
  anyOf?: { const: unknown }[];
}

/** Every position of a switch as the page writes it, the default in bold. */
function positions({ type, enum: values, anyOf, default: usual }: Member): string {
  if (type === 'integer') return `seconds, **${String(usual)}**`;
  const all = values ?? anyOf?.map((one) => one.const) ?? [true, false];
  return all.map((one) => (one === usual ? `**${String(one)}**` : String(one))).join(', ');
}

test('docs/tenant.md lists every switch with its positions, its default and what it is about', () => {
  const { properties = {} } = z.toJSONSchema(switchesSchema, { io: 'input' });
  const wanted = Object.entries(properties).map(([name, member]) => [
    `\`${name}\``,
    positions(member as Member),
    (member as Member).description,
  ]);
  const table = page.slice(page.indexOf('## Switches')).split('\n');
  const rows = table
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );
  expect(rows).toEqual(wanted);
});

test('docs/tenant.md names every call of the control', () => {
  const calls = [
    ...read('src/tenant/control/control.ts').matchAll(/^ {2}'(GET|POST|PATCH|DELETE) (\w+)'/gm),
  ];
  expect(calls.length).toBeGreaterThan(10);
  expect(
    calls
      .map(([, method, name]) => `\`${method ?? ''} /_control/${name ?? ''}`)
      .filter((call) => !page.includes(call)),
  ).toEqual([]);
});

test('the file shown in docs/tenant.md is one the tenant takes', () => {
  const [, json = ''] = /```json\n(.*?)```/s.exec(page) ?? [];
  expect(checkOptions(JSON.parse(json)).settings.plan).toBe('professional');
});
