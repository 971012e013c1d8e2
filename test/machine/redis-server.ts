import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { attempt, isProgram, Missing, onPath, run } from './on-path.ts';

const install = 'apt-get install -y redis-server   (or set REDIS_SERVER to the path of one)';

// Debian's and Ubuntu's packages for each shared library that a bare machine may lack, newest name last.
const packageOf: Record<string, string[]> = {
  'libjemalloc.so.2': ['libjemalloc2'],
  'liblzf.so.1': ['liblzf1'],
  'liblua5.1.so.0': ['liblua5.1-0'],
  'libatomic.so.1': ['libatomic1'],
  'libssl.so.3': ['libssl3', 'libssl3t64'],
  'libcrypto.so.3': ['libssl3', 'libssl3t64'],
  'libsystemd.so.0': ['libsystemd0'],
  'libcap.so.2': ['libcap2'],
  'libgcrypt.so.20': ['libgcrypt20'],
  'libgpg-error.so.0': ['libgpg-error0'],
  'liblzma.so.5': ['liblzma5'],
  'liblz4.so.1': ['liblz4-1'],
  'libzstd.so.1': ['libzstd1'],
  'libstdc++.so.6': ['libstdc++6'],
};

/**
 * The path of a redis-server: REDIS_SERVER, the PATH, an earlier download, else the distribution's own packages unpacked
 * into `cache` without root and without touching the system. Throws Missing when it may not or cannot be fetched.
 */
export function findRedisServer(
  cache: string,
  download: boolean,
  say: (line: string) => void,
): string {
  const named = process.env['REDIS_SERVER'];
  if (named) {
    if (isProgram(named)) return named;
    throw new Missing(`REDIS_SERVER is ${named}, which is not a program`);
  }
  const folder = join(cache, 'redis');
  const wrapper = join(folder, 'redis-server');
  const present = onPath('redis-server') ?? (isProgram(wrapper) ? wrapper : undefined);
  if (present) return present;
  if (!download)
    throw new Missing(
      `redis-server is not on the PATH, and downloads are off. Install it: ${install}`,
    );
  if (!onPath('apt-get') || !onPath('dpkg'))
    throw new Missing(`redis-server is not on the PATH. Install it; on Debian: ${install}`);
  say(
    `redis-server is not on the PATH: unpacking the distribution's package into ${folder} (nothing is installed)`,
  );
  try {
    unpack(folder, wrapper);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw new Missing(
      `redis-server could not be fetched. Install it: ${install}\n${error instanceof Error ? error.message : String(error)}`,
    );
  }
  return wrapper;
}

function unpack(folder: string, wrapper: string): void {
  rmSync(folder, { recursive: true, force: true });
  const root = join(folder, 'root');
  mkdirSync(root, { recursive: true });
  const fetchPackage = createFetcher(folder, root);
  if (!fetchPackage('redis-server') || !fetchPackage('redis-tools'))
    throw new Error('apt-get download redis-server redis-tools failed');
  const program = ['usr/bin/redis-server', 'usr/bin/redis-check-rdb']
    .map((path) => join(root, path))
    .find(isProgram);
  if (!program) throw new Error('the packages hold no redis-server');
  const libraries = ['usr/lib', 'lib']
    .flatMap((base) => [join(root, base, machine()), join(root, base)])
    .join(':');
  // A library brought in may need further ones: look again until nothing is missing, or nothing new can be had.
  const tried = new Set<string>();
  for (;;) {
    const missing = missingLibraries(program, libraries).filter((name) => !tried.has(name));
    if (missing.length === 0) break;
    for (const name of missing) {
      tried.add(name);
      (packageOf[name] ?? []).some(fetchPackage);
    }
  }
  writeFileSync(wrapper, `#!/bin/sh\nLD_LIBRARY_PATH="${libraries}" exec "${program}" "$@"\n`);
  chmodSync(wrapper, 0o755);
  run(wrapper, ['--version']);
}

/** Answers a function that unpacks one package below `root`; the package lists are fetched once, into the cache, where the system has none. */
function createFetcher(folder: string, root: string): (name: string) => boolean {
  const packages = join(folder, 'packages');
  mkdirSync(join(packages, 'partial'), { recursive: true });
  const state = [join(folder, 'lists'), join(folder, 'archives')];
  const options = [
    '-o',
    `Dir::State::lists=${join(folder, 'lists')}`,
    '-o',
    `Dir::Cache=${join(folder, 'archives')}`,
    '-o',
    'Debug::NoLocking=1',
  ];
  let own: string[] = [];
  return (name) => {
    const get = (): string | undefined =>
      attempt('apt-get', [...own, '-qq', 'download', name], { cwd: packages });
    if (get() === undefined && own.length === 0) {
      for (const path of state) mkdirSync(join(path, 'partial'), { recursive: true });
      if (attempt('apt-get', [...options, '-qq', 'update']) !== undefined) own = options;
      get();
    }
    const file = readdirSync(packages).find((entry) => entry.startsWith(`${name}_`));
    if (!file) return false;
    run('dpkg', ['-x', join(packages, file), root]);
    return true;
  };
}

function machine(): string {
  const name = { x64: 'x86_64', arm64: 'aarch64' }[process.arch as string] ?? process.arch;
  return `${name}-linux-gnu`;
}

function missingLibraries(program: string, libraries: string): string[] {
  if (!existsSync('/usr/bin/ldd')) return [];
  const listing =
    attempt('ldd', [program], { env: { ...process.env, LD_LIBRARY_PATH: libraries } }) ?? '';
  return [...listing.matchAll(/^\s*(\S+) => not found/gm)].map((match) => match[1] ?? '');
}
