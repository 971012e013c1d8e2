// Makes dist/: the library and the command line as JavaScript with types, and the account page as
// static files. Runs after `npm ci` by itself (npm's prepare step); without the development
// packages there is nothing to build with, and nothing is built.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const require = createRequire(import.meta.url);
const pageOnly = process.argv.includes('--page');

const has = (name: string): boolean => existsSync(join(root, 'node_modules', name));
if (!has('typescript') || !has('esbuild')) {
  console.error('build: typescript and esbuild are not installed, dist/ is left as it is');
  process.exit(0);
}

if (!pageOnly) {
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  for (const project of ['tsconfig.build.json', 'src/browser/tsconfig.build.json']) {
    execFileSync(
      process.execPath,
      [require.resolve('typescript/bin/tsc'), '-p', join(root, project)],
      { stdio: 'inherit' },
    );
  }
  // What the compiler does not carry over: scripts for Redis, pages and data beside the code.
  cpSync(join(root, 'src'), join(root, 'dist/src'), {
    recursive: true,
    filter: (source) =>
      !source.includes(join('src', 'browser')) &&
      !/\.tsx?$/.test(source) &&
      !source.endsWith('tsconfig.json'),
  });
}

if (existsSync(join(root, 'src/browser/index.ts'))) {
  const { build } = await import('esbuild');
  const common = {
    bundle: true,
    format: 'esm',
    target: 'es2022',
    logLevel: 'warning',
    legalComments: 'none',
  } as const;
  await build({
    ...common,
    entryPoints: [join(root, 'src/browser/index.ts')],
    outfile: join(root, 'dist/src/browser/index.js'),
  });
  const page = join(root, 'src/browser/page');
  if (existsSync(page)) {
    await build({
      ...common,
      minify: true,
      entryPoints: [join(page, 'main.ts')],
      outfile: join(root, 'dist/page/main.js'),
    });
    cpSync(page, join(root, 'dist/page'), {
      recursive: true,
      filter: (source) => !/\.tsx?$/.test(source),
    });
  }
}
