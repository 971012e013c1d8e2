import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { chromium } from 'playwright-core';
import { attempt, isProgram, Missing, onPath, run } from './on-path.ts';

const install = 'apt-get install -y chromium   (or set CHROMIUM to the path of one)';
const carrier = '@sparticuz/chromium@153.0.0';

/**
 * The path of a Chromium that starts: CHROMIUM, the PATH, an earlier download, else the npm package that carries one with the
 * libraries it needs, unpacked into `cache`; else, as root on Debian, the system's package. Throws Missing otherwise.
 */
export async function findChromium(
  cache: string,
  download: boolean,
  say: (line: string) => void,
): Promise<string> {
  const named = process.env['CHROMIUM'];
  if (named) {
    if (isProgram(named)) return named;
    throw new Missing(`CHROMIUM is ${named}, which is not a program`);
  }
  const folder = join(cache, 'chromium');
  const wrapper = join(folder, 'chromium');
  const present =
    onPath('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable') ??
    (isProgram(wrapper) ? wrapper : undefined);
  if (present) return present;
  if (!download)
    throw new Missing(`Chromium is not on the PATH, and downloads are off. Install it: ${install}`);
  if (process.platform === 'linux' && process.arch === 'x64') {
    say(
      `Chromium is not on the PATH: unpacking the npm package ${carrier} into ${folder} (nothing is installed)`,
    );
    if (unpack(folder, wrapper) && (await starts(wrapper))) return wrapper;
    rmSync(folder, { recursive: true, force: true });
    say('that Chromium does not start on this machine');
  }
  if (process.getuid?.() === 0 && onPath('apt-get')) {
    say('running as root: apt-get install -y chromium');
    attempt('apt-get', ['update', '-qq']);
    attempt('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium'], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
    const installed = onPath('chromium');
    if (installed) return installed;
  }
  throw new Missing(`Chromium could not be fetched. Install it: ${install}`);
}

function unpack(folder: string, wrapper: string): boolean {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const options = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'];
  // `npm test` runs below npm, whose settings for this project (prefix, dry-run ...) must not reach this other call.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^npm_(config_local_prefix|package_|lifecycle_)/.test(name),
    ),
  );
  if (
    attempt('npm', ['install', '--prefix', join(folder, 'package'), ...options, carrier], {
      env,
    }) === undefined
  )
    return false;
  const parts = join(folder, 'package/node_modules/@sparticuz/chromium/bin');
  try {
    writeFileSync(
      join(folder, 'program'),
      brotliDecompressSync(readFileSync(join(parts, 'chromium.br'))),
    );
    for (const part of ['al2023', 'swiftshader', 'fonts']) {
      const archive = join(folder, `${part}.tar`);
      writeFileSync(archive, brotliDecompressSync(readFileSync(join(parts, `${part}.tar.br`))));
      run('tar', ['xf', archive, '-C', folder]);
      rmSync(archive);
    }
  } catch {
    return false;
  }
  rmSync(join(folder, 'package'), { recursive: true, force: true });
  const fonts = `<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "fonts.dtd">\n<fontconfig><dir>${folder}/fonts</dir><dir>/usr/share/fonts</dir><cachedir>${folder}/fonts-cache</cachedir></fontconfig>\n`;
  writeFileSync(join(folder, 'fonts.conf'), fonts);
  writeFileSync(
    wrapper,
    `#!/bin/sh\nLD_LIBRARY_PATH="${folder}/lib" FONTCONFIG_PATH="${folder}" exec "${folder}/program" "$@"\n`,
  );
  chmodSync(join(folder, 'program'), 0o755);
  chmodSync(wrapper, 0o755);
  return true;
}

async function starts(executablePath: string): Promise<boolean> {
  try {
    const browser = await chromium.launch({
      executablePath,
      args: ['--no-sandbox'],
      timeout: 20_000,
    });
    await browser.close();
    return true;
  } catch {
    return false;
  }
}
