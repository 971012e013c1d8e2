import { expect, test } from '@jest/globals';
import { files, importsOf, text } from '../house/source.ts';

const section = text('docs/architecture.md').split('## Walks\n')[1]?.split('\n## ')[0] ?? '';
const walks = section
  .split('\n\n')
  .filter((paragraph) => paragraph.includes(': `'))
  .map((paragraph) => ({
    name: paragraph.split(':')[0] ?? '',
    files: [...paragraph.matchAll(/`([\w./-]+\.ts)`/g)].map(
      ([, file]) => `src/gateway/${file ?? ''}`,
    ),
  }));
const house = files(['src']);

test('there are six walks', () => {
  expect(walks.map(({ name }) => name)).toEqual([
    'A kept read',
    'A read that goes to the API',
    'A change',
    'A sign-in',
    'A step-up',
    'A connection',
  ]);
});

test.each(walks)(
  '$name passes files that are there, each imported by one before it or wired in parts.ts',
  ({ files: walk }) => {
    expect(walk.filter((file) => !house.includes(file))).toEqual([]);
    const strays = walk.slice(1).filter((file, i) => {
      const before = [...walk.slice(0, i + 1), 'src/gateway/parts.ts'].flatMap(importsOf);
      return !before.some((each) => each.file === file);
    });
    expect(strays).toEqual([]);
  },
);

test('a kept read passes nine files at most, one that goes to the API twelve', () => {
  expect(walks[0]?.files.length).toBeLessThanOrEqual(9);
  expect(walks[1]?.files.length).toBeLessThanOrEqual(12);
});
