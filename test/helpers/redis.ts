import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Ends the server; its data is gone. */
  stop(): Promise<void>;
  /** Starts it again, empty, on the same port. */
  start(): Promise<void>;
  /** Freezes it: connections stay open, nothing is answered. */
  freeze(): void;
  thaw(): void;
}

/** A private redis-server on a free port of 127.0.0.1, without persistence; a configuration file may come first. The caller stops it. */
export async function startRedis(
  flags: readonly string[] = [],
  configuration: readonly string[] = [],
): Promise<RedisServer> {
  const port = await freePort();
  let process_: ChildProcess | undefined;
  let folder = '';
  const start = async () => {
    folder = mkdtempSync(join(tmpdir(), 'redis-'));
    const command = process.env['REDIS_SERVER'] ?? 'redis-server';
    const args = [
      ...configuration,
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
      '--dir',
      folder,
      ...flags,
    ];
    const child = spawn(command, args, { stdio: 'ignore' });
    process_ = child;
    const failed = new Promise<never>((_, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => {
        reject(new Error(`redis-server ended with ${String(code)}`));
      });
    });
    await Promise.race([listening(port), failed]);
    failed.catch(() => undefined);
  };
  const stop = async () => {
    const child = process_;
    process_ = undefined;
    if (!child || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGCONT');
    child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  };
  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return process_?.pid ?? 0;
    },
    start,
    stop,
    freeze: () => process_?.kill('SIGSTOP'),
    thaw: () => process_?.kill('SIGCONT'),
  };
}

/** A port of 127.0.0.1 nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function listening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const answered = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('data', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => {
        resolve(false);
      });
      socket.once('connect', () => socket.write('PING\r\n'));
    });
    if (answered) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('redis-server did not answer within 5 s');
}
