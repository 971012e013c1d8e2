import { afterEach, expect, test } from '@jest/globals';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { startTenant, type Tenant } from '../../src/tenant/index.ts';
import { hang } from '../helpers/event-stream.ts';
import { startFleet } from '../helpers/fleet.ts';
import { freePort } from '../helpers/gateway.ts';
import { createPerson, type Person } from '../helpers/person.ts';
import { until } from '../helpers/until.ts';
import { startRedis, type RedisServer } from '../helpers/redis.ts';
import { createRedis, type Redis } from '../../src/gateway/redis/client.ts';

const methods = '/api/me/v1/authentication-methods';
const quiet = { info: () => undefined, warn: () => undefined };

interface Report {
  readonly reached: string[];
  readonly threw: string[];
}
interface Scene {
  readonly child: ChildProcess;
  readonly origin: string;
  readonly admin: string;
  readonly tenant: Tenant;
  readonly person: Person;
  readonly server: Redis;
  output(): string;
  tell(what: { arm?: string[]; fire?: true }): Promise<Report>;
}

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const scene = async (): Promise<Scene> => {
  const redis: RedisServer = await startRedis();
  ends.push(redis.stop);
  const port = await freePort();
  const origin = `http://localhost:${port}`;
  const client = {
    client_id: 'planted',
    client_secret: 'a-client-secret',
    callbacks: [`${origin}/auth/callback`],
  };
  const tenant: Tenant = await startTenant({
    control: true,
    limits: { enforced: false },
    clients: [client],
  });
  ends.push(async () => tenant.close());
  const child = fork(join(import.meta.dirname, '../helpers/planted-gateway.ts'), {
    env: {
      PATH: process.env['PATH'] ?? '',
      AUTH0_DOMAIN: tenant.url,
      AUTH0_CLIENT_ID: 'planted',
      AUTH0_CLIENT_SECRET: 'a-client-secret',
      AUTH0_SECRET: 'the secret of a gateway with throws in it',
      APP_BASE_URL: origin,
      REDIS_URL: redis.url,
      RATE_LIMIT_USER_READ: '10000',
      RATE_LIMIT_USER_WRITE: '10000',
      AUTH0_SCOPE: `openid offline_access ${['authentication_methods', 'factors'].map((of) => `read:me:${of} create:me:${of}`).join(' ')}`,
      READ_KEEP_SECONDS: '0',
      LOG_LEVEL: 'warn',
      PORT: String(port),
      ADMIN_PORT: '0',
    },
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  ends.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [{ adminPort }] = (await once(child, 'message')) as [{ adminPort: number }];
  const server = createRedis({ url: redis.url, keyPrefix: '' }, quiet);
  ends.push(server.close);
  const person = createPerson(origin, tenant.demoUser);
  return {
    child,
    origin,
    admin: `http://127.0.0.1:${adminPort}`,
    tenant,
    person,
    server,
    output: () => output,
    async tell(what) {
      const answer = once(child, 'message') as Promise<[Report]>;
      child.send(what);
      return (await answer)[0];
    },
  };
};

/** What browsers, the API, Redis and the clock do to a gateway, each thing once. */
const live = async ({ origin, tenant, person, server, tell }: Scene): Promise<void> => {
  const tab = await hang(origin, person);
  const phone = {
    type: 'phone',
    phone_number: '+4915112345678',
    preferred_authentication_method: 'sms',
  };
  const cookie = await person.jar.getCookieString(origin);
  const leaves = fetch(`${origin}/api/me/v1/factors`, {
    headers: { cookie },
    signal: AbortSignal.timeout(200),
  });
  await Promise.allSettled([
    person.call('GET', methods),
    person.call('POST', methods, phone),
    person.call('POST', '/auth/session'),
    person.call('GET', '/nothing'),
    leaves,
  ]);
  const [channel] = (await server.command('PUBSUB', 'CHANNELS', 'mab:events:*')) as string[];
  if (channel !== undefined) await server.command('PUBLISH', channel, '{"type":"method_changed"}');
  tenant.faults.add({ path: '/me/', times: 3, delayMs: 400 });
  const late = [
    person.call('GET', methods),
    person.call('POST', methods, phone),
    person.call('POST', methods, '{'),
  ];
  await until(() => tenant.faults.list().length === 0, 500);
  await tell({ fire: true });
  await Promise.allSettled(late);
  tenant.faults.clear();
  await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await server.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  tab.leave();
};

test('a throw in each listener and each timer is caught, counted, and ends nothing', async () => {
  const the = await scene();
  const alive = async (): Promise<boolean> =>
    (await fetch(`${the.admin}/healthz`, { signal: AbortSignal.timeout(10_000) })).ok;
  const well = async (): Promise<boolean> => (await the.person.call('GET', methods)).status === 200;
  await the.person.signIn();
  for (let i = 0; i < 3; i += 1) await live(the);
  expect(await until(well)).toBe(true);
  const { reached } = await the.tell({});

  for (const site of reached) {
    await the.tell({ arm: [site] });
    for (let i = 0; i < 2 && !(await the.tell({})).threw.includes(site); i += 1)
      await live(the).catch(() => undefined);
    expect(`${site}: ${the.child.exitCode} ${await alive()}`).toBe(`${site}: null true`);
    if (!(await until(well, 20_000))) await the.person.signIn();
  }
  const { threw } = await the.tell({});
  // Not all are come to again: where it begins to listen, for one.
  expect(threw.length).toBeGreaterThan(reached.length / 2);
  const rooms = new Set(threw.map((site) => /src\/gateway\/(\w+)/.exec(site)?.[1]));
  expect([...rooms]).toEqual(
    expect.arrayContaining(['redis', 'session', 'http', 'limiter', 'account']),
  );
  const metrics = await (await fetch(`${the.admin}/metrics`)).text();
  const counts = [...metrics.matchAll(/^my_account_unforeseen_total\{.*\} (\d+)$/gm)];
  const counted = counts.reduce((sum, [, count]) => sum + Number(count), 0);
  const logged = new Set(the.output().match(/planted at [\w/.:-]+/g));
  // What has a guard of its own is not left to the net.
  expect(counted).toBeGreaterThan(threw.length / 2);
  expect(logged.size).toBeGreaterThan(threw.length / 2);
});

test.each([
  ['an exception', "throw new Error('planted')"],
  ['a rejection', "void Promise.reject(new Error('planted'))"],
])(
  'after %s that nothing caught, what is under way ends, and then the process',
  async (_name, fault) => {
    const preload = `data:text/javascript,process.on('SIGUSR2',()=>{${encodeURIComponent(fault)}})`;
    const fleet = await startFleet({
      count: 1,
      settings: {
        NODE_OPTIONS: `--import=${preload}`,
        DRAIN_SECONDS: '20',
        TOKEN_EXCHANGE_TIMEOUT: '19000',
      },
    });
    ends.push(fleet.close);
    const person = fleet.person();
    await person.signIn();
    const [member] = fleet.members;
    fleet.tenant.faults.add({ path: '/me/', times: 1, delayMs: 2_000 });
    const underWay = person.call('GET', methods);
    expect(await until(() => fleet.tenant.faults.list().length === 0)).toBe(true);
    process.kill(member?.program.pid ?? 0, 'SIGUSR2');
    expect((await underWay).status).toBe(200);
    expect(await member?.program.ended).toBe(1);
    expect(member?.program.output()).toMatch(/"event":"unforeseen".*planted/);
  },
);
