import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeJwt } from 'jose';
import { createRedis } from '../../src/gateway/redis/client.ts';
import { newTicket } from '../../src/gateway/session/ticket.ts';
import { eachOf, freePort, openStage, untilReady, type Stage } from './stage.ts';
import type { Table } from '../table.ts';
import { openSessions } from './open.ts';

const secret = 'the secret of the gateways under the soak';
const clientSecret = 'the-client-secret-of-the-soak';
const origin = 'http://localhost:1';
const scope = 'openid profile email offline_access read:me:authentication_methods read:me:factors read:me:connected_accounts';
const methods = '/api/me/v1/authentication-methods';
const quiet = { info: () => undefined, warn: () => undefined };

interface Member {
  readonly sub: string;
  readonly cookie: string;
}
interface SeenRequest {
  readonly id: number;
  readonly status: number;
  readonly parameters?: Record<string, string>;
}

const post = async (url: string, body: Record<string, string> | object, json: boolean): Promise<Record<string, unknown>> => {
  const init = json
    ? { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
    : { body: new URLSearchParams(body as Record<string, string>) };
  return (await (await fetch(url, { method: 'POST', ...init })).json()) as Record<string, unknown>;
};

/** A primary with a replica and a Sentinel that replaces it after a second of silence; answers the address and the primary's end. */
const startSentinels = async (stage: Stage): Promise<{ url: string; killPrimary: () => void }> => {
  const [first, second, watch] = [await freePort(), await freePort(), await freePort()];
  const primary = stage.redis(['--port', String(first)]);
  stage.redis(['--port', String(second), '--replicaof', '127.0.0.1', String(first), '--repl-diskless-sync-delay', '0']);
  await sleep(1_000);
  stage.redis(
    [],
    `port ${watch}\nsentinel monitor main 127.0.0.1 ${first} 1\nsentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 5000\nsentinel parallel-syncs main 1\n`,
  );
  await sleep(2_000);
  return { url: `redis+sentinel://127.0.0.1:${watch}/main`, killPrimary: () => void primary.kill('SIGKILL') };
};

/** Signs users in at the tenant by password and puts their sessions into Redis as a gateway does; ten thousand redirects would only measure forms. */
const populate = async (tenant: string, redisUrl: string, count: number): Promise<Member[]> => {
  const { users } = (await post(`${tenant}/_control/users`, { count, password: 'password-of-the-soak' }, true)) as {
    users: { user_id: string; email: string }[];
  };
  const redis = createRedis({ url: redisUrl }, quiet);
  await redis.opened(5_000);
  const sessions = openSessions(redis, `${tenant}/`, secret);
  const key = createHmac('sha256', secret).update('my-account-bff cookie').digest('base64url');
  const members: Member[] = [];
  await eachOf(users, 8, async ({ user_id: sub, email }) => {
    const grant = {
      grant_type: 'password',
      username: email,
      password: 'password-of-the-soak',
      audience: `${tenant}/me/`,
      scope,
      client_id: 'soak',
      client_secret: clientSecret,
    };
    const tokens = await post(`${tenant}/oauth/token`, grant, false);
    const value = String(tokens['access_token']);
    const granted = String(decodeJwt(value)['scope']).split(' ');
    const ticket = newTicket();
    await sessions.begin(
      ticket,
      (now) => ({
        sub,
        idToken: String(tokens['id_token']),
        refreshToken: String(tokens['refresh_token']),
        tokens: [{ audience: `${tenant}/me/`, scope: granted, value, expiresAt: now + 2_000, renewAt: now + 1_800 }],
      }),
      { device: 'the soak' },
    );
    const signature = createHmac('sha256', key).update(ticket).digest('base64').replace(/=+$/, '');
    members.push({ sub, cookie: `my_account_session=${encodeURIComponent(`s:${ticket}.${signature}`)}` });
  });
  await redis.close();
  return members;
};

/** Traffic over two gateways while the primary of Redis and then one gateway are killed; counts what must be zero. */
export const soak = async (
  count: number,
  seconds: number,
  leewaySeconds: number,
  say: (line: string) => void,
): Promise<Table['rows'][number]> => {
  const stage = openStage();
  try {
    const tenantPort = await freePort();
    const tenant = `http://127.0.0.1:${tenantPort}`;
    stage.program(['tenant', '--port', String(tenantPort), '--control']);
    await untilReady(`${tenant}/.well-known/openid-configuration`);
    await fetch(`${tenant}/_control/settings`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        tokens: { accessTokenSeconds: 2, refreshLeewaySeconds: leewaySeconds },
        limits: { enforced: false },
        clients: [
          {
            client_id: 'soak',
            client_secret: clientSecret,
            callbacks: [`${origin}/auth/callback`],
            grant_types: ['authorization_code', 'refresh_token', 'password'],
          },
        ],
        grants: [{ client_id: 'soak', scope: ['read:me:authentication_methods', 'read:me:factors', 'read:me:connected_accounts'] }],
      }),
    });
    const { url, killPrimary } = await startSentinels(stage);
    say(`signing ${count} users in`);
    const members = await populate(tenant, url, count);
    const ports = [await freePort(), await freePort()];
    const startGateway = (port: number) =>
      stage.program(['start'], {
        AUTH0_DOMAIN: tenant,
        AUTH0_CLIENT_ID: 'soak',
        AUTH0_CLIENT_SECRET: clientSecret,
        AUTH0_SECRET: secret,
        AUTH0_REFRESH_LEEWAY: String(leewaySeconds),
        APP_BASE_URL: origin,
        REDIS_URL: url,
        INSTANCES: '2',
        PORT: String(port),
        ADMIN_PORT: '0',
        LOG_LEVEL: 'silent',
        RATE_LIMIT_USER_READ: '1000000',
        RATE_LIMIT_TENANT_READ: '1000000',
        // Each read is to need a token.
        READ_KEEP_SECONDS: '0',
      });
    const gateways = ports.map(startGateway);
    for (const port of ports) await untilReady(`http://localhost:${port}/readyz`);

    const seen = new Map<number, number>();
    let wrongUser = 0;
    const call = async ({ sub, cookie }: Member, port: number): Promise<number> => {
      const answer = await fetch(`http://localhost:${port}${methods}`, { headers: { cookie, 'x-csrf': '1' } }).catch(() => undefined);
      const status = answer?.status ?? 0;
      seen.set(status, (seen.get(status) ?? 0) + 1);
      const text = (await answer?.text().catch(() => '')) ?? '';
      if (status === 200 && !text.includes(JSON.stringify(sub).slice(1, -1))) wrongUser += 1;
      return status;
    };
    let spentTwice = 0;
    let refreshes = 0;
    let last = 0;
    const audit = async (): Promise<void> => {
      const { requests } = (await (await fetch(`${tenant}/_control/requests?since=${last}`)).json()) as { requests: SeenRequest[] };
      for (const { id, status, parameters } of requests) {
        last = Math.max(last, id);
        if (parameters?.['grant_type'] !== 'refresh_token') continue;
        refreshes += 1;
        if (status === 403) spentTwice += 1;
      }
    };
    say(`${seconds} s of traffic`);
    const began = performance.now();
    const until = began + seconds * 1000;
    const auditing = setInterval(() => void audit().catch(() => undefined), 3_000);
    const trouble = (async () => {
      await sleep((seconds * 1000) / 3);
      say('the primary of Redis is killed');
      killPrimary();
      await sleep((seconds * 1000) / 3);
      say('a gateway is killed, and started again');
      gateways[0]?.kill('SIGKILL');
      await sleep(2_000);
      startGateway(ports[0] ?? 0);
    })();
    await Promise.all(
      Array.from({ length: 24 }, async (_, worker) => {
        for (let turn = worker; performance.now() < until; turn += 1) {
          const member = members[Math.floor(Math.random() * members.length)];
          if (member === undefined) continue;
          // As a browser's reload or a balancer's next try: an answer that says "again" is asked again, elsewhere.
          for (let attempt = 0; attempt < 20 && performance.now() < until + 15_000; attempt += 1) {
            const status = await call(member, ports[(turn + attempt) % 2] ?? 0);
            if (status === 200 || status === 401) break;
            await sleep(500);
          }
        }
      }),
    );
    await trouble;
    await untilReady(`http://localhost:${ports[0]}/readyz`);
    const during = new Map(seen);
    say('looking at every session');
    let lost = 0;
    await eachOf(members, 24, async (member) => {
      let status = 0;
      for (let attempt = 0; attempt < 12; attempt += 1) {
        status = await call(member, ports[attempt % 2] ?? 0);
        if (status === 200 || status === 401) break;
        await sleep(1_000);
      }
      if (status !== 200) lost += 1;
    });
    clearInterval(auditing);
    await audit();
    const good = during.get(200) ?? 0;
    const retry = (during.get(503) ?? 0) + (during.get(0) ?? 0) + (during.get(502) ?? 0);
    return [leewaySeconds, count, good, retry, refreshes, lost, spentTwice, wrongUser];
  } finally {
    stage.end();
  }
};
