// What this repository has of the My Account API, read from the parts themselves.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { operations as browserOperations } from '../../src/browser/operations.ts';
import { operations as tenantOperations } from '../../src/tenant/me/operations.ts';

/** One operation as one part of the house has it. */
export interface HouseOperation {
  /** Method and path below `/me/v1`, `{id}` for a segment: `GET /factors`. */
  readonly key: string;
  /** What the part calls it, or what it says of it. */
  readonly name: string;
  /** The scope it asks for, where the part knows one. */
  readonly scope?: string;
  /** Whether it answers; an operation that is in the table and planned is denied. */
  readonly open: boolean;
}

/** The four parts, by the column of the table. */
export interface House {
  readonly gateway: readonly HouseOperation[];
  readonly limits: readonly HouseOperation[];
  readonly tenant: readonly HouseOperation[];
  readonly browser: readonly HouseOperation[];
}

interface GatewayOperation {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly scope: string;
  readonly bucket: string;
  readonly bucketUnconfirmed?: true;
}

const root = join(import.meta.dirname, '../..');
/** Where the gateway's operations table may stand. */
const tables = ['src/gateway/my-account/operations.ts'];

async function gatewayOperations(): Promise<Pick<House, 'gateway' | 'limits'>> {
  const file = tables.map((each) => join(root, each)).find((each) => existsSync(each));
  if (file === undefined) throw new Error(`There is no operations table: ${tables.join(', ')}.`);
  const table = (await import(pathToFileURL(file).href)) as {
    operations: readonly GatewayOperation[];
    planned?: readonly GatewayOperation[];
  };
  const shown = (open: boolean) => (one: GatewayOperation) => ({
    key: `${one.method} ${one.path}`,
    name: one.name,
    scope: one.scope,
    open,
  });
  const planned = table.planned ?? [];
  return {
    gateway: [...table.operations.map(shown(true)), ...planned.map(shown(false))],
    limits: [...table.operations, ...planned].map(
      ({ method, path, bucket, bucketUnconfirmed }) => ({
        key: `${method} ${path}`,
        name: bucketUnconfirmed ? `${bucket} (UNCONFIRMED)` : bucket,
        open: true,
      }),
    ),
  };
}

/** The library's functions make a request of what they are given; an id shows where it goes. */
function browserHouse(): HouseOperation[] {
  return Object.entries(browserOperations).map(([name, request]) => {
    const call = request as (...given: unknown[]) => { method: string; path: string };
    const { method, path } = call('{id}');
    const key = `${method} ${decodeURIComponent(path).replace(/^\/v1/, '')}`;
    return { key, name, open: true };
  });
}

/** Reads the four parts as they are in this checkout. */
export async function readHouse(): Promise<House> {
  const { gateway, limits } = await gatewayOperations();
  return {
    gateway,
    limits,
    tenant: tenantOperations.map(({ method, path, scope }) => ({
      key: `${method} ${path}`,
      name: 'answers',
      scope,
      open: true,
    })),
    browser: browserHouse(),
  };
}
