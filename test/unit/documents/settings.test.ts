import { describe, expect, test } from '@jest/globals';
import { settings } from '../../../config/settings.ts';
import { text } from '../house/source.ts';

/** The row docs/settings.md must hold for a setting: name, meaning, default. */
const row = (
  name: string,
  { check, meaning }: { check: (typeof settings)[keyof typeof settings]['check']; meaning: string },
): string[] => {
  const bare = check.safeParse(undefined);
  const value = bare.success
    ? bare.data === undefined || bare.data === ''
      ? 'none'
      : `\`${String(bare.data)}\``
    : '**required**';
  return [`\`${name}\``, meaning.replaceAll('|', '\\|'), value];
};

const rows = text('docs/settings.md')
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) =>
    line
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim()),
  );

describe('docs/settings.md', () => {
  test('says of every setting what its check and its default say', () => {
    const written = new Set(rows.map((cells) => cells.join(' | ')));
    const wanted = Object.entries(settings).map(([name, entry]) => row(name, entry).join(' | '));
    expect(wanted.filter((line) => !written.has(line))).toEqual([]);
  });

  test('names no setting that does not exist', () => {
    expect(
      rows
        .map(([name]) => name?.replaceAll('`', ''))
        .filter((name) => !Object.hasOwn(settings, name ?? '')),
    ).toEqual([]);
  });
});
