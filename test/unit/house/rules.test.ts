import { describe, expect, test } from '@jest/globals';
import { exportsOf, files, passesOn, text } from './source.ts';

const house = files(['src', 'config']);
const tests = files(['test']);
const lines = (file: string): number => text(file).trimEnd().split('\n').length;
const holding = (list: readonly string[], pattern: RegExp): string[] =>
  list.flatMap((file) =>
    text(file)
      .split('\n')
      .flatMap((line, index) =>
        pattern.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : [],
      ),
  );

// The rules name what they forbid: their own file is not judged by them.
const self = 'test/unit/house/rules.test.ts';

describe('the house', () => {
  test('has no file over 250 lines, in any language', () => {
    const all = [...house, ...files(['src'], '.lua'), ...files(['src'], '.html')];
    expect(
      all.filter((file) => lines(file) > 250).map((file) => `${file}: ${lines(file)}`),
    ).toEqual([]);
  });

  test('has a sentence above every export', () => {
    // The three public doors name what they pass on; a sentence stands where it is declared.
    const bare = house.flatMap(exportsOf).filter(({ comment }) => !/\w+ \w+/.test(comment));
    expect(bare.map(({ file, name }) => `${file}: ${name}`)).toEqual([]);
  });

  test('gives an exported name of the gateway one meaning: it stands in one file', () => {
    const found = files(['src/gateway']).flatMap(exportsOf);
    const twice = found.filter(
      ({ name }, at) => found.findIndex((each) => each.name === name) !== at,
    );
    expect(found.length).toBeGreaterThan(300);
    expect(twice.map(({ file, name }) => `${file}: ${name}`)).toEqual([]);
  });

  test('passes names on in its three public doors only', () => {
    const doors = ['src/gateway/index.ts', 'src/tenant/index.ts', 'src/browser/index.ts'];
    expect(house.filter((file) => passesOn(file) && !doors.includes(file))).toEqual([]);
  });

  test('has no room that says nothing', () => {
    expect(
      house.filter((file) =>
        /\/(utils?|lib|common|helpers?|types|misc|shared)(\/|\.ts$)/.test(file),
      ),
    ).toEqual([]);
  });

  test('reads the environment in one place', () => {
    const readers = holding(house, /process\.env\b/).map((line) => line.split(':')[0]);
    expect(
      readers.filter((file) => file !== 'src/main.ts' && file !== 'config/settings.ts'),
    ).toEqual([]);
  });

  test('never writes to the console from the gateway: the log is handed in', () => {
    expect(holding(files(['src/gateway']), /\bconsole\.|process\.(stdout|stderr)\b/)).toEqual([]);
  });

  test('takes no shortcut around the types', () => {
    const all = [...house, ...tests, ...files(['scripts', 'bench'])].filter(
      (file) => file !== self,
    );
    expect(holding(all, /@ts-(ignore|expect-error|nocheck)|eslint-disable|as unknown as/)).toEqual(
      [],
    );
  });
});

describe('the tests', () => {
  test('read nothing outside of the checkout', () => {
    const judged = [...files(['test']), ...files(['scripts', 'bench'])].filter(
      (file) => file !== self,
    );
    expect(holding(judged, /\bshared\/(reference|design|tools)\b|['"`]\.\.\/shared\b/)).toEqual([]);
  });

  test('are all run: none is skipped, singled out or postponed', () => {
    const judged = tests.filter((file) => file !== self);
    expect(
      holding(
        judged,
        /\b(test|it|describe)\.(skip|only|todo|failing)\b|\b(xit|xtest|xdescribe|fit|fdescribe)\(/,
      ),
    ).toEqual([]);
  });

  test('replace no module and spy on none: they use real parts', () => {
    const judged = tests.filter((file) => file !== self);
    expect(holding(judged, /jest\.(mock|unstable_mockModule|spyOn|doMock|requireMock)\b/)).toEqual(
      [],
    );
  });
});
