import { setTimeout as sleep } from 'node:timers/promises';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { freePort, startAlternating } from '../helpers/gateway.ts';
import { nginxPath, startNginx } from '../helpers/nginx.ts';
import { createPerson, type Person } from '../helpers/person.ts';
import { runProgram, startProgram } from '../helpers/process.ts';
import { startRedis } from '../helpers/redis.ts';

interface Service {
  image?: string;
  command?: string[];
  environment?: Record<string, string>;
  ports?: string[];
}

const root = join(import.meta.dirname, '../..');
const { services } = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'), {
  merge: true,
}) as {
  services: Record<string, Service>;
};

// The stack without Docker: the same programs with the settings of docker-compose.yml, where only names and ports of the containers' network are replaced.
describe('the stack of docker-compose.yml', () => {
  const folder = mkdtempSync(join(tmpdir(), 'stack-'));
  const ends: (() => unknown)[] = [];
  const urls: string[] = [];
  const logs: (() => string)[] = [];
  let person: Person;
  let tenantLog = '';

  /** A text of the compose file with this machine's addresses in place of the containers'. */
  let here: (text: string) => string = (text) => text;
  const program = (command: readonly string[]): string[] => command.slice(2).map(here);

  beforeAll(async () => {
    const [redis, one, two, tenantPort, front] = await Promise.all([
      startRedis(),
      freePort(),
      freePort(),
      freePort(),
      freePort(),
    ]);
    ends.push(() => redis.stop());
    const addresses = new Map([
      ['redis:6379', `127.0.0.1:${redis.port}`],
      ['tenant.localhost:4000', `127.0.0.1:${tenantPort}`],
      ['--port=4000', `--port=${tenantPort}`],
      ['--host=0.0.0.0', '--host=127.0.0.1'],
      ['localhost:8080', `localhost:${front}`],
      ['/app/dist/', `${root}/dist/`],
      ['/stack', folder],
    ]);
    here = (text) =>
      [...addresses].reduce((result, [there, mine]) => result.replaceAll(there, mine), text);

    const secrets = await runProgram(['config/stack-secrets.ts', folder]);
    expect(secrets).toEqual({ code: 0, output: '' });
    const file = join(folder, 'tenant.json');
    const made = readFileSync(file, 'utf8');
    rmSync(file);
    writeFileSync(file, here(made));

    const tenant = await startProgram([...program(services['tenant']?.command ?? []), '--json']);
    ends.push(() => tenant.stop());
    tenantLog = tenant.output();
    const gateways = [
      { port: one, name: 'gateway-1' },
      { port: two, name: 'gateway-2' },
    ];
    for (const { port, name } of gateways) {
      const { command = [], environment = {} } = services[name] ?? {};
      const settings = Object.entries(environment).map(
        ([key, value]) => [key, here(value)] as const,
      );
      const env = {
        ...Object.fromEntries(settings),
        PORT: String(port),
        ADMIN_PORT: '0',
        HOST: '127.0.0.1',
      };
      const gateway = await startProgram(program(command), env, folder);
      ends.push(() => gateway.stop());
      logs.push(gateway.output);
      urls.push(`http://127.0.0.1:${port}`);
    }
    const { user } = JSON.parse(
      tenantLog.split('\n').find((line) => line.startsWith('{"tenant"')) ?? '{}',
    ) as { user: never };
    person = createPerson(`http://localhost:${front}`, user);

    if (nginxPath === undefined) {
      // Said aloud, not passed over: config/nginx.conf was not tried on this machine.
      process.stderr.write(
        '\nnginx is not installed: config/nginx.conf was not tried (apt-get install -y nginx)\n',
      );
      const alternating = await startAlternating(front);
      alternating.targets(urls);
      ends.push(() => alternating.close());
      return;
    }
    const nginx = await startNginx({ folder, port: front, gateways: [one, two] });
    ends.push(() => nginx.stop());
  });

  afterAll(async () => {
    for (const end of ends.reverse()) await end();
    rmSync(folder, { recursive: true, force: true });
  });

  test('has every part, and publishes nothing beyond this machine', () => {
    expect(Object.keys(services)).toEqual([
      'secrets',
      'redis',
      'tenant',
      'gateway-1',
      'gateway-2',
      'proxy',
    ]);
    const published = Object.values(services).flatMap(({ ports = [] }) => ports);
    expect(published.every((port) => port.startsWith('127.0.0.1:'))).toBe(true);
  });

  test('holds no secret of its own, and keeps those it made', async () => {
    expect(JSON.stringify(services)).not.toMatch(/SECRET|PASSWORD/);
    const before = readFileSync(join(folder, '.env'), 'utf8');
    expect(before).toMatch(/^AUTH0_CLIENT_SECRET=[\w-]{43}\nAUTH0_SECRET=[0-9a-f]{64}\n$/);
    await runProgram(['config/stack-secrets.ts', folder]);
    expect(readFileSync(join(folder, '.env'), 'utf8')).toBe(before);
    expect(statSync(join(folder, '.env')).mode & 0o077).toBe(0);
  });

  test('shows the page at its one address', async () => {
    const front = await person.visit('/');
    expect(front.status).toBe(200);
    expect(front.text).toContain('<title>My account</title>');
  });

  test('signs a user in, and answers through both gateways', async () => {
    const back = await person.signIn('/');
    expect(back.status).toBe(200);
    for (let request = 0; request < 4; request++) {
      const list = await person.call('GET', '/api/me/v1/authentication-methods');
      expect(list.status).toBe(200);
      expect(list.json()).toMatchObject({
        authentication_methods: [{ type: 'password' }, { type: 'totp' }],
      });
    }
    // Lines are written together, at latest a tenth of a second after they were made.
    await sleep(500);
    for (const log of logs) expect(log()).toContain('/api/me');
  });
});
