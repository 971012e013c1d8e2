import { spawn } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onPath } from '../machine/on-path.ts';

const file = join(import.meta.dirname, '../../config/nginx.conf');

/** Where nginx is on this machine; undefined where it is not. */
export const nginxPath =
  onPath('nginx') ??
  ['/usr/sbin/nginx'].find((path) => statSync(path, { throwIfNoEntry: false })?.isFile());

/** An nginx of this project's configuration, running. */
export interface Nginx {
  readonly url: string;
  /** All that it wrote to its error log. */
  said(): string;
  stop(): Promise<void>;
}

/**
 * Starts nginx with config/nginx.conf, its addresses replaced by these: the port it listens on, and
 * the ports of the gateways behind it, as many as there are. Rejects with its error log when it does
 * not answer. `folder` takes its files; `config` names another configuration than the shipped one.
 */
export const startNginx = async (at: {
  folder: string;
  port: number;
  gateways: readonly number[];
  config?: string;
}): Promise<Nginx> => {
  const { folder, port, gateways } = at;
  if (nginxPath === undefined) throw new Error('nginx is not installed (apt-get install -y nginx)');
  const own = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder}/${kind};`)
    .join('\n');
  const text = readFileSync(at.config ?? file, 'utf8');
  const [, options = ''] = /^ *server gateway-1:3000([^;]*);\n/m.exec(text) ?? [];
  const config = join(folder, 'nginx.conf');
  writeFileSync(
    config,
    text
      .replace('http {', `http {\n${own}`)
      .replace(`listen 8080`, `listen ${port}`)
      .replace(
        /( *server gateway-\d:3000[^;]*;\n)+/,
        gateways.map((each) => `    server 127.0.0.1:${each}${options};\n`).join(''),
      ),
  );
  const child = spawn(
    nginxPath,
    ['-p', folder, '-c', config, '-e', 'stderr', '-g', `daemon off; pid ${folder}/nginx.pid;`],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let said = '';
  child.stderr.on('data', (piece: Buffer) => (said += piece.toString()));
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await gone;
  };
  const url = `http://localhost:${port}`;
  for (let attempt = 0; ; attempt++) {
    const answer = await fetch(`${url}/healthz`).catch(() => undefined);
    if (answer?.ok === true) return { url, said: () => said, stop };
    if (attempt > 200 || child.exitCode !== null) {
      await stop();
      throw new Error(`nginx does not answer: ${said}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};
