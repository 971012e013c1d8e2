import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { plans } from '../../../config/plans.ts';
import { failures } from '../../../src/gateway/http/errors.ts';
import { operations } from '../../../src/gateway/my-account/operations.ts';
import { root, text } from '../house/source.ts';

const pages = [
  ...readdirSync(root),
  ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`),
].filter((name) => name.endsWith('.md'));

/** The anchor GitHub gives a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');

const withoutCode = (page: string): string => text(page).replace(/^```.*?^```/gms, '');
const anchors = (page: string): string[] =>
  [...withoutCode(page).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading ?? ''));

/** The cells of every row of a page's tables. */
const rows = (page: string): string[][] =>
  text(page)
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );

describe('the documents', () => {
  test('link to pages, files and headings that are there', () => {
    const broken = pages.flatMap((page) =>
      [...withoutCode(page).matchAll(/\]\(([^)\s]+)\)/g)]
        .map(([, target]) => target ?? '')
        .filter((target) => !/^https?:/.test(target))
        .filter((target) => {
          const [path = '', anchor] = target.split('#');
          const file = path === '' ? page : join(dirname(page), path);
          if (!existsSync(join(root, file))) return true;
          return anchor !== undefined && !anchors(file).includes(anchor);
        })
        .map((target) => `${page}: ${target}`),
    );
    expect(broken).toEqual([]);
  });

  test('name commands that package.json has', () => {
    const { scripts } = JSON.parse(text('package.json')) as { scripts: Record<string, string> };
    const named = pages.flatMap((page) =>
      [...text(page).matchAll(/npm run ([a-z][\w:-]*)/g)].map(([, name]) => `${page}: ${name}`),
    );
    expect(named.filter((each) => !Object.hasOwn(scripts, each.split(': ')[1] ?? ''))).toEqual([]);
  });

  test('hold code that JavaScript can read', async () => {
    const ts = await import('typescript');
    const blocks = pages.flatMap((page) =>
      [...text(page).matchAll(/^```(js|jsx|json)\n(.*?)^```/gms)].map((match) => ({ page, match })),
    );
    const broken = blocks.filter(({ match: [, language = '', code = ''] }) => {
      if (language === 'json') return !isJson(code);
      const { diagnostics } = ts.default.transpileModule(code, {
        fileName: `block.${language}`,
        reportDiagnostics: true,
      });
      return (diagnostics?.length ?? 0) > 0;
    });
    expect(blocks.length).toBeGreaterThan(5);
    expect(broken.map(({ page, match }) => `${page}: ${match[0]}`)).toEqual([]);
  });
});

test('docs/errors.md explains every failure under its own heading, with its status, and no other', () => {
  const sections = text('docs/errors.md').split(/^### /m).slice(1);
  const written = sections.map((section) =>
    [section.split('\n')[0], /Status (\d{3})/.exec(section)?.[1]].join(' '),
  );
  expect(written.sort()).toEqual(
    Object.entries(failures)
      .map(([code, { status }]) => `${code} ${status}`)
      .sort(),
  );
});

test('docs/routes.md lists the operations as they are forwarded', () => {
  const written = rows('docs/routes.md').map((cells) => cells.join(' | '));
  const wanted = operations.map(({ method, path, scope, bucket, filtered }) => {
    const other = filtered === undefined ? '' : `; with \`?type=\` \`${filtered.bucket}\``;
    return `\`${method} ${path}\` | \`${scope}\` | \`${bucket}\`${other}`;
  });
  expect(wanted.filter((row) => !written.includes(row))).toEqual([]);
});

test('docs/routes.md lists the routes of the gateway', () => {
  const source = text('src/gateway/app.ts');
  const routes = [...source.matchAll(/app\s*\.(?:get|post|delete|route|use)\(\s*'(\/[^']*)'/g)].map(
    ([, path]) => path ?? '',
  );
  const page = text('docs/routes.md');
  expect(routes.length).toBeGreaterThan(8);
  expect(routes.filter((path) => !page.includes(path))).toEqual([]);
});

test("docs/rate-limits.md gives the plans' numbers", () => {
  const [head = [], ...written] = rows('docs/rate-limits.md');
  const column = (name: string): number =>
    head.findIndex((names) => names.split(', ').includes(`\`${name}\``));
  const wrong = Object.entries(plans).flatMap(([name, buckets]) =>
    Object.entries(buckets).filter(([bucket, { tenantPerSecond, userPerMinute }]) => {
      const row = written.find(([first]) => first === `\`${bucket}\``);
      return row?.[column(name)] !== `${tenantPerSecond} / ${userPerMinute}`;
    }),
  );
  expect(wrong).toEqual([]);
});

test('docs/dependencies.md gives the reason for every package', () => {
  const manifest = JSON.parse(text('package.json')) as Record<
    'dependencies' | 'devDependencies',
    Record<string, string>
  >;
  const page = rows('docs/dependencies.md').flatMap(([names]) => (names ?? '').split(', '));
  const explained = (name: string): boolean => page.includes(name);
  const types = (name: string): boolean =>
    name.startsWith('@types/') ||
    name.startsWith('@eslint/') ||
    name.startsWith('@jest/') ||
    name.startsWith('jest-');
  const packages = [
    ...Object.keys(manifest.dependencies),
    ...Object.keys(manifest.devDependencies).filter((name) => !types(name)),
  ];
  expect(packages.filter((name) => !explained(name) && name !== 'knip')).toEqual([]);
});

function isJson(code: string): boolean {
  try {
    JSON.parse(code);
    return true;
  } catch {
    return false;
  }
}
