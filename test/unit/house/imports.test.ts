import { describe, expect, test } from '@jest/globals';
import { files, importsOf, type Import } from './source.ts';

// Left to right: a room may import from rooms further right only, never from another of its own column.
const columns = [
  ['main'],
  ['index'],
  ['serve'],
  ['app'],
  ['parts'],
  ['login', 'embedded', 'connect', 'logout', 'account'],
  ['my-account'],
  ['tokens', 'cache'],
  ['session', 'limiter', 'step-up'],
  ['auth0'],
  // The failures this gateway answers with are a table in http; the door to Redis throws one of them, so it stands left of http.
  ['redis'],
  ['http'],
  ['config'],
];
const column = new Map(
  columns.flatMap((rooms, index) => rooms.map((room) => [room, index] as const)),
);

// The tenant is a house of its own under the same rule.
const tenantColumns = [
  ['index', 'command'],
  ['start'],
  ['options', 'router'],
  ['control'],
  ['server'],
  ['pages'],
  ['embedded'],
  ['me'],
  ['oidc'],
  ['second-factor'],
  ['http'],
  ['state'],
];
const tenantColumn = new Map(
  tenantColumns.flatMap((rooms, index) => rooms.map((each) => [each, index] as const)),
);
const tenantRoom = (file: string): string | undefined => /^src\/tenant\/([^/.]+)/.exec(file)?.[1];

const doors = ['openid-client', 'ioredis', 'http-proxy-middleware', 'undici', 'express-session'];

const house = files(['src', 'config']);
const imports = house.flatMap(importsOf);
const inside = imports.filter((each): each is Import & { file: string } => each.file !== undefined);
const show = (each: Import): string => `${each.from} -> ${each.specifier}`;

/** The room of a file of the gateway: its folder, or its own name where it stands at the top. */
function room(file: string): string | undefined {
  if (file.startsWith('config/')) return 'config';
  if (/^src\/[^/]+$/.test(file)) return 'main';
  return /^src\/gateway\/([^/.]+)/.exec(file)?.[1];
}

describe('imports', () => {
  test('every file of the gateway stands in a room the rule names', () => {
    expect(
      house.filter((file) => room(file) !== undefined && !column.has(room(file) ?? '')),
    ).toEqual([]);
  });

  test('go right only, never sideways between rooms', () => {
    const wrong = inside.filter(({ from, file }) => {
      const [of, to] = [room(from), room(file)];
      if (of === undefined || to === undefined || of === to) return false;
      return (column.get(of) ?? 0) >= (column.get(to) ?? 0);
    });
    expect(wrong.map(show)).toEqual([]);
  });

  test('of the tenant: every file stands in a room the rule names, and no room stands empty', () => {
    const rooms = house.map(tenantRoom).filter((each) => each !== undefined);
    expect(new Set(rooms)).toEqual(new Set(tenantColumn.keys()));
  });

  test('of the tenant go right only, never sideways between rooms', () => {
    const judged = inside.filter(
      ({ from, file }) => tenantRoom(from) !== undefined && tenantRoom(file) !== tenantRoom(from),
    );
    expect(judged.length).toBeGreaterThan(100);
    const columnOf = (file: string): number => tenantColumn.get(tenantRoom(file) ?? '') ?? -1;
    expect(judged.filter(({ from, file }) => columnOf(from) >= columnOf(file)).map(show)).toEqual(
      [],
    );
  });

  test('of app.ts are thirty at most: it shows the order of the routes, parts.ts makes what they are made of', () => {
    expect(importsOf('src/gateway/app.ts').length).toBeLessThanOrEqual(30);
  });

  test('name a file that is there', () => {
    expect(
      inside.filter(({ file }) => !house.includes(file) && !file.endsWith('.json')).map(show),
    ).toEqual([]);
  });

  test('never go in a circle', () => {
    const done = new Set<string>();
    const circles: string[] = [];
    const walk = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      if (path.includes(file) || done.has(file)) return;
      for (const each of inside.filter(({ from }) => from === file))
        walk(each.file, [...path, file]);
      done.add(file);
    };
    for (const file of house) walk(file, []);
    expect(circles).toEqual([]);
  });

  test('config imports nothing of the house', () => {
    expect(
      inside
        .filter(({ from, file }) => from.startsWith('config/') && !file.startsWith('config/'))
        .map(show),
    ).toEqual([]);
  });

  test('tenant, gateway and page share no code', () => {
    const houses = ['src/tenant/', 'src/gateway/', 'src/browser/', 'config/'];
    const of = (file: string): string | undefined => houses.find((each) => file.startsWith(each));
    const wrong = inside.filter(({ from, file }) => {
      if (of(from) === undefined || of(from) === of(file)) return false;
      return !(of(from) === 'src/gateway/' && of(file) === 'config/');
    });
    expect(wrong.map(show)).toEqual([]);
  });

  test.each(doors)('%s has one door in the gateway', (library) => {
    const importing = imports.filter(
      ({ from, specifier }) =>
        from.startsWith('src/gateway/') &&
        (specifier === library || specifier.startsWith(`${library}/`)),
    );
    expect([...new Set(importing.map(({ from }) => from))]).toHaveLength(1);
  });

  test('the tests drive the three houses and are imported by none of them', () => {
    expect(
      inside.filter(({ file }) => file.startsWith('test/') || file.startsWith('bench/')).map(show),
    ).toEqual([]);
  });
});
