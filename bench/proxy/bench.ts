import { spawn, type ChildProcess } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { createRedis } from '../../src/gateway/redis/client.ts';
import { createEvents } from '../../src/gateway/session/events.ts';
import { createRedisStore } from '../../src/gateway/session/redis-store.ts';
import { createSeal } from '../../src/gateway/session/seal.ts';
import { createSessions } from '../../src/gateway/session/sessions.ts';
import { newTicket } from '../../src/gateway/session/ticket.ts';
import { freePort, openStage, untilReady } from '../sessions/stage.ts';
import type { Bench, Table } from '../table.ts';
import { load, median, pin, type Round } from './measure.ts';

const root = join(import.meta.dirname, '../..');
const secret = 'the secret of the gateway that is measured';
const path = '/api/me/v1/connected-accounts/connections';
const people = 64;
const token = `${Buffer.from('{"alg":"RS256"}').toString('base64url')}.${'a'.repeat(900)}.${'b'.repeat(300)}`;

const signatureOf = (key: string, value: string): string => createHmac('sha256', key).update(value).digest('base64').replace(/=+$/, '');

/** Sessions of people who signed in a moment ago, as each arrangement keeps them; answers the cookies. */
const seed = async (redisUrl: string, tenant: string): Promise<{ ours: string[]; usual: string[] }> => {
  const redis = createRedis({ url: redisUrl }, { info: () => undefined, warn: () => undefined });
  const bare = createRedis({ url: redisUrl, keyPrefix: '' }, { info: () => undefined, warn: () => undefined });
  await Promise.all([redis.opened(5_000), bare.opened(5_000)]);
  const sessions = createSessions({
    store: createRedisStore(redis),
    seal: createSeal([secret], 'session'),
    listSeal: createSeal([secret], 'session list'),
    issuer: `${tenant}/`,
    idleMs: 3_600_000,
    absoluteMs: 3_600_000,
    events: createEvents(),
  });
  const key = createHmac('sha256', secret).update('my-account-bff cookie').digest('base64url');
  const ours: string[] = [];
  const usual: string[] = [];
  for (let i = 0; i < people; i += 1) {
    const ticket = newTicket();
    const audience = `${tenant}/me/`;
    await sessions.begin(
      ticket,
      (now) => ({
        sub: `auth0|${i}`,
        idToken: token,
        refreshToken: 'r',
        tokens: [{ audience, scope: ['read:me:connected_accounts'], value: token, expiresAt: now + 3_600_000, renewAt: now + 3_600_000 }],
      }),
      {},
    );
    ours.push(`my_account_session=${encodeURIComponent(`s:${ticket}.${signatureOf(key, ticket)}`)}`);
    const sid = newTicket();
    await bare.command(
      'SET',
      `sess:${sid}`,
      JSON.stringify({ cookie: { originalMaxAge: null }, tokens: { access_token: token, id_token: token, refresh_token: 'r' } }),
    );
    usual.push(`usual=${encodeURIComponent(`s:${sid}.${signatureOf('the secret of the usual way', sid)}`)}`);
  }
  await Promise.all([redis.close(), bare.close()]);
  return { ours, usual };
};

/** The gateway in its default configuration beside a bare Node proxy and the same packages put together the usual way, in one run. */
export const proxy: Bench = async ({ quick, say }) => {
  const stage = openStage();
  const children: ChildProcess[] = [];
  try {
    const [redisPort, upPort, barePort, usualPort, ourPort] = [
      await freePort(),
      await freePort(),
      await freePort(),
      await freePort(),
      await freePort(),
    ];
    const [redisUrl, tenant] = [`redis://127.0.0.1:${redisPort}`, `http://127.0.0.1:${upPort}`];
    const redis = stage.redis(['--port', String(redisPort)]);
    const server = (kind: string, port: number): ChildProcess => {
      const child = spawn(process.execPath, ['bench/proxy/servers.ts', kind, String(port), tenant, redisUrl], {
        cwd: root,
        stdio: 'ignore',
      });
      children.push(child);
      return child;
    };
    const upstream = server('upstream', upPort);
    const bare = server('bare', barePort);
    const { ours, usual } = await seed(redisUrl, tenant);
    const usualWay = server('usual', usualPort);
    const roomy = Object.fromEntries(['USER', 'TENANT'].map((who) => [`RATE_LIMIT_${who}_READ`, '1000000']));
    const gateway = stage.program(['start'], {
      AUTH0_DOMAIN: tenant,
      AUTH0_CLIENT_ID: 'x',
      AUTH0_CLIENT_SECRET: 'x',
      AUTH0_SECRET: secret,
      APP_BASE_URL: 'http://localhost:1',
      REDIS_URL: redisUrl,
      PORT: String(ourPort),
      ADMIN_PORT: '0',
      HOST: '127.0.0.1',
      ...roomy,
    });
    gateway.stdout?.resume();
    await Promise.all([
      untilReady(`${tenant}/`),
      untilReady(`http://127.0.0.1:${barePort}/`),
      untilReady(`http://127.0.0.1:${ourPort}/readyz`),
      untilReady(`http://127.0.0.1:${usualPort}/`),
    ]);
    for (const { pid } of [redis, upstream]) pin(pid ?? 0, 1);
    pin(process.pid, 1);
    for (const { pid } of [bare, usualWay, gateway]) pin(pid ?? 0, 0);

    const targets = [
      { name: 'bare Node proxy', url: `http://127.0.0.1:${barePort}${path}`, pid: bare.pid ?? 0, cookies: [], status: 200 },
      { name: 'this gateway', url: `http://127.0.0.1:${ourPort}${path}`, pid: gateway.pid ?? 0, cookies: ours, status: 200 },
      { name: 'the usual way', url: `http://127.0.0.1:${usualPort}${path}`, pid: usualWay.pid ?? 0, cookies: usual, status: 200 },
    ];
    const [rounds, seconds] = quick ? [2, 2] : [5, 5];
    const found = new Map<string, Round[]>(targets.map(({ name }) => [name, []]));
    for (const target of targets) await load(target, 32, 2);
    for (let round = 0; round < rounds; round += 1) {
      say(`round ${round + 1} of ${rounds}`);
      for (const target of targets) found.get(target.name)?.push(await load(target, 32, seconds));
    }
    const row = (name: string): Record<keyof Round, number> => {
      const all = found.get(name) ?? [];
      const of = (what: keyof Round): number => median(all.map((each) => each[what]));
      return {
        perSecond: of('perSecond'),
        p50: of('p50'),
        p99: of('p99'),
        cpuPerRequest: of('cpuPerRequest'),
        loadShare: of('loadShare'),
        failed: Math.max(...all.map(({ failed }) => failed)),
      };
    };
    const yard = row('bare Node proxy');
    const two = (value: number): string => value.toFixed(2);
    const table: Table = {
      title: 'What the gateway costs',
      about: `32 connections, a 650-byte answer over keep-alive, medians of ${rounds} alternating rounds of ${seconds} s; measured processes on one core, load, upstream and Redis on the other. The gateway runs in its default configuration with a Redis: sealed sessions, budget, checks, logs, metrics. Ratios are to the bare proxy of the same run. A row whose load side was busy for more than 0.95 is not to be trusted.`,
      columns: ['arrangement', 'throughput / bare', 'CPU per request / bare', 'p50 / bare', 'p99 / bare', 'errors', 'load side busy'],
      rows: targets.map(({ name }) => {
        const one = row(name);
        return [
          name,
          two(one.perSecond / yard.perSecond),
          two(one.cpuPerRequest / yard.cpuPerRequest),
          two(one.p50 / Math.max(1, yard.p50)),
          two(one.p99 / Math.max(1, yard.p99)),
          one.failed,
          two(one.loadShare),
        ];
      }),
    };
    return [table];
  } finally {
    for (const child of children) child.kill('SIGKILL');
    stage.end();
  }
};
