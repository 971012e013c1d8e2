// Auth0's OpenAPI file and this repository side by side.
import type { Json } from './factual-part.ts';
import type { House, HouseOperation } from './house.ts';

/** One operation of the file. */
export interface FileOperation {
  readonly key: string;
  readonly name: string;
  readonly scope: string;
  /** Auth0's `x-release-lifecycle`: GA, EA, beta or planned. */
  readonly lifecycle: string;
}

/** One line of the table: an operation and what each column has of it. */
export interface Line {
  readonly key: string;
  readonly file: string;
  readonly gateway: string;
  readonly limits: string;
  readonly tenant: string;
  readonly browser: string;
}

/** The table and, in sentences, everything in which the two sides differ. */
export interface Comparison {
  readonly lines: readonly Line[];
  readonly differences: readonly string[];
}

const methods = ['get', 'post', 'put', 'patch', 'delete'];
const columns = ['gateway', 'limits', 'tenant', 'browser'] as const;
const titles = {
  gateway: "the gateway's operations table",
  limits: 'the limits in config/plans.ts',
  tenant: 'the tenant',
  browser: 'the browser library',
};
/** Auth0 answers these; `planned` it does not yet, so nobody here does. */
const released = (lifecycle: string): boolean => ['GA', 'EA', 'beta'].includes(lifecycle);

const isObject = (value: unknown): value is Readonly<Record<string, Json>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');

function scopeOf(security: unknown): string {
  const [first] = Array.isArray(security) ? (security as unknown[]) : [];
  const [scopes] = isObject(first) ? Object.values(first) : [];
  return Array.isArray(scopes) ? scopes.map(text).join(' ') : '';
}

/** Returns the operations of an OpenAPI document, a parameter of the path as `{id}`. */
export function operationsOf({ paths }: Readonly<Record<string, Json>>): FileOperation[] {
  return Object.entries(isObject(paths) ? paths : {}).flatMap(([path, item]) =>
    methods.flatMap((method) => {
      const operation = isObject(item) ? item[method] : undefined;
      if (!isObject(operation)) return [];
      return {
        key: `${method.toUpperCase()} ${path.replace(/\{\w+\}/g, '{id}')}`,
        name: text(operation['operationId']),
        scope: scopeOf(operation['security']),
        lifecycle: text(operation['x-release-lifecycle']),
      };
    }),
  );
}

/**
 * Holds the house against the operations of a file. `elsewhere` are operations that Auth0 publishes
 * outside of the file: they count as published until the file has them itself, which is then said.
 */
export function compare(
  file: readonly FileOperation[],
  elsewhere: readonly FileOperation[],
  house: House,
): Comparison {
  const differences: string[] = [];
  const keys = new Set(
    [file, elsewhere, ...columns.map((each) => house[each])].flatMap((list) =>
      list.map(({ key }) => key),
    ),
  );
  const lines = [...keys].map((key): Line => {
    const inFile = file.find((each) => each.key === key);
    const other = elsewhere.find((each) => each.key === key);
    const known = inFile ?? other;
    if (inFile && other) {
      differences.push(`${key}: the file has it now; take it out of what is published elsewhere`);
    }
    const cells = columns.map((column) => {
      const own = house[column].find((each) => each.key === key);
      differences.push(...judge(key, known, column, own));
      return [column, cellOf(own)];
    });
    const lifecycle = inFile?.lifecycle ?? (other ? `${other.lifecycle}, elsewhere` : '-');
    return { key, file: lifecycle, ...Object.fromEntries(cells) } as Line;
  });
  return { lines, differences };
}

function judge(
  key: string,
  known: FileOperation | undefined,
  column: (typeof columns)[number],
  own: HouseOperation | undefined,
): string[] {
  const title = titles[column];
  if (!known) return own ? [`${key}: ${title} has it, the file does not`] : [];
  if (!released(known.lifecycle)) {
    if (column === 'gateway' && !own) return [`${key}: ${title} lacks it (${known.lifecycle})`];
    if (column === 'limits' || !own?.open) return [];
    return [`${key}: ${title} answers it, though it is ${known.lifecycle} at Auth0`];
  }
  if (!own) return [`${key}: ${title} lacks it (${known.lifecycle})`];
  const found: string[] = [];
  if (!own.open) found.push(`${key}: ${title} denies it, though it is ${known.lifecycle} at Auth0`);
  if (own.scope !== undefined && own.scope !== known.scope) {
    found.push(`${key}: ${title} asks for ${own.scope}, the file for ${known.scope}`);
  }
  if (column === 'gateway' && own.name !== known.name) {
    found.push(`${key}: ${title} calls it ${own.name}, the file ${known.name}`);
  }
  return found;
}

const cellOf = (own: HouseOperation | undefined): string =>
  own === undefined ? '-' : own.open ? own.name : `${own.name} (denied)`;

/**
 * Returns every place at which two documents differ, as JSON pointers with what is there on either
 * side.
 */
export function changesOf(kept: Json | undefined, given: Json | undefined, at = ''): string[] {
  if (JSON.stringify(kept) === JSON.stringify(given)) return [];
  if (kept === undefined) return [`${at}: new in the file`];
  if (given === undefined) return [`${at}: gone from the file`];
  if (!isObject(kept) || !isObject(given)) {
    return [`${at}: ${JSON.stringify(kept)} here, ${JSON.stringify(given)} in the file`];
  }
  return [...new Set([...Object.keys(kept), ...Object.keys(given)])].flatMap((name) =>
    changesOf(kept[name], given[name], `${at}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`),
  );
}

/** Writes the table as text, its columns aligned. */
export function show({ lines, differences }: Comparison): string {
  const head: Line = {
    key: 'operation',
    file: 'Auth0',
    gateway: 'gateway',
    limits: 'limits',
    tenant: 'tenant',
    browser: 'browser library',
  };
  const names = ['key', 'file', ...columns] as const;
  const widths = names.map((name) =>
    Math.max(...[head, ...lines].map((line) => line[name].length)),
  );
  const rows = [head, ...lines].map((line) =>
    names
      .map((name, index) => line[name].padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const sum =
    differences.length === 0
      ? 'Nothing differs.'
      : `${differences.length} difference${differences.length === 1 ? '' : 's'}:`;
  return [...rows, '', sum, ...differences.map((each) => `  ${each}`), ''].join('\n');
}
