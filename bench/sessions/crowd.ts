import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeJwt } from 'jose';
import { rateLimitSettings } from '../../config/rate-limits.ts';
import { createRedis } from '../../src/gateway/redis/client.ts';
import { newTicket } from '../../src/gateway/session/ticket.ts';
import { openSessions } from './open.ts';
import { eachOf, freePort, untilReady, type Stage } from './stage.ts';

const secret = 'the secret of the gateways under the soak';
const clientSecret = 'the-client-secret-of-the-soak';
const password = 'password-of-the-soak';
const reading = ['read:me:authentication_methods', 'read:me:factors', 'read:me:connected_accounts'];
const quiet = { info: () => undefined, warn: () => undefined };

/** Where everybody's own authentication methods are. */
export const methods = '/api/me/v1/authentication-methods';

/** Somebody signed in. */
export interface Member {
  readonly sub: string;
  readonly email: string;
  readonly cookie: string;
}

interface SeenRequest {
  readonly id: number;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly parameters?: Record<string, string>;
}

/** A tenant, its users signed in through one Redis, and gateways before it. */
export interface Crowd {
  readonly tenant: string;
  /** What a gateway of this crowd is started with. */
  settings(port: number): Record<string, string>;
  /** Signs so many users in, each once. */
  members(count: number): Promise<Member[]>;
  /** Begins another session of a user. */
  begin(member: Pick<Member, 'sub' | 'email'>): Promise<Member>;
  /** The tenant's requests since it was last asked. */
  audit(): Promise<readonly SeenRequest[]>;
  close(): Promise<void>;
}

/** Posts JSON, or a form, and returns the JSON that comes back. */
export const post = async (
  url: string,
  body: object,
  form = false,
): Promise<Record<string, unknown>> => {
  const init = form
    ? { body: new URLSearchParams(body as Record<string, string>) }
    : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  return (await (await fetch(url, { method: 'POST', ...init })).json()) as Record<string, unknown>;
};

/** Starts the tenant; `origin` is the public one of the gateways, `writing` lets sessions enrol methods too. */
export const openCrowd = async (
  stage: Stage,
  options: {
    redisUrl: string;
    origin: string;
    instances: number;
    leewaySeconds: number;
    accessTokenSeconds: number;
    writing?: boolean;
  },
): Promise<Crowd> => {
  const { redisUrl, origin, leewaySeconds, accessTokenSeconds } = options;
  const scopes = [
    ...reading,
    ...(options.writing === true ? ['create:me:authentication_methods'] : []),
  ];
  const scope = ['openid profile email offline_access', ...scopes].join(' ');
  const tenantPort = await freePort();
  // As the tenant names itself: its issuer and its audience begin so.
  const tenant = `http://localhost:${tenantPort}`;
  stage.program(['tenant', '--port', String(tenantPort), '--control']);
  await untilReady(`${tenant}/.well-known/openid-configuration`);
  await fetch(`${tenant}/_control/settings`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      tokens: { accessTokenSeconds, refreshLeewaySeconds: leewaySeconds },
      limits: { enforced: false },
      clients: [
        {
          client_id: 'soak',
          client_secret: clientSecret,
          callbacks: [`${origin}/auth/callback`],
          grant_types: ['authorization_code', 'refresh_token', 'password'],
        },
      ],
      grants: [{ client_id: 'soak', scope: scopes }],
    }),
  });
  const redis = createRedis({ url: redisUrl }, quiet);
  await redis.opened(5_000);
  const sessions = openSessions(redis, `${tenant}/`, secret);
  const key = createHmac('sha256', secret).update('my-account-bff cookie').digest('base64url');

  // By password and straight into Redis, as a gateway does it: ten thousand redirects would only measure forms.
  const begin = async ({ sub, email }: Pick<Member, 'sub' | 'email'>): Promise<Member> => {
    const grant = {
      ...{ grant_type: 'password', username: email, password, audience: `${tenant}/me/`, scope },
      ...{ client_id: 'soak', client_secret: clientSecret },
    };
    const tokens = await post(`${tenant}/oauth/token`, grant, true);
    const value = String(tokens['access_token']);
    const granted = String(decodeJwt(value)['scope']).split(' ');
    const ticket = newTicket();
    const lifeMs = accessTokenSeconds * 1_000;
    const token = { audience: `${tenant}/me/`, scope: granted, value };
    await sessions.begin(
      ticket,
      (now) => ({
        sub,
        idToken: String(tokens['id_token']),
        refreshToken: String(tokens['refresh_token']),
        tokens: [{ ...token, expiresAt: now + lifeMs, renewAt: now + lifeMs * 0.9 }],
      }),
      { device: 'the soak' },
    );
    const signature = createHmac('sha256', key).update(ticket).digest('base64').replace(/=+$/, '');
    return {
      sub,
      email,
      cookie: `my_account_session=${encodeURIComponent(`s:${ticket}.${signature}`)}`,
    };
  };

  let last = 0;
  return {
    tenant,
    begin,
    close: redis.close,
    settings: (port) => ({
      AUTH0_DOMAIN: tenant,
      AUTH0_CLIENT_ID: 'soak',
      AUTH0_CLIENT_SECRET: clientSecret,
      AUTH0_SECRET: secret,
      AUTH0_SCOPE: scope,
      AUTH0_REFRESH_LEEWAY: String(leewaySeconds),
      APP_BASE_URL: origin,
      REDIS_URL: redisUrl,
      INSTANCES: String(options.instances),
      PORT: String(port),
      ADMIN_PORT: '0',
      LOG_LEVEL: 'silent',
      ...Object.fromEntries(Object.keys(rateLimitSettings).map((name) => [name, '1000000'])),
    }),
    async members(count) {
      const { users } = (await post(`${tenant}/_control/users`, { count, password })) as {
        users: { user_id: string; email: string }[];
      };
      const made: Member[] = [];
      await eachOf(users, 8, async ({ user_id: sub, email }) => {
        made.push(await begin({ sub, email }));
      });
      return made;
    },
    async audit() {
      const answer = await fetch(`${tenant}/_control/requests?since=${last}`);
      const { requests } = (await answer.json()) as { requests: SeenRequest[] };
      last = requests.reduce((most, { id }) => Math.max(most, id), last);
      return requests;
    },
  };
};

/** A primary with a replica and a Sentinel that replaces it after a second of silence. */
export const startSentinels = async (
  stage: Stage,
): Promise<{ readonly url: string; readonly sentinel: string; killPrimary(): void }> => {
  const [first, second, watch] = [await freePort(), await freePort(), await freePort()];
  const atOnce = ['--repl-diskless-sync-delay', '0'];
  const primary = stage.redis(['--port', String(first), ...atOnce]);
  stage.redis(['--port', String(second), '--replicaof', '127.0.0.1', String(first), ...atOnce]);
  await sleep(1_000);
  const times = 'sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 5000\n';
  const monitor = `port ${watch}\nsentinel monitor main 127.0.0.1 ${first} 1\n${times}sentinel parallel-syncs main 1\n`;
  stage.redis([], monitor);
  await sleep(2_000);
  return {
    url: `redis+sentinel://127.0.0.1:${watch}/main`,
    sentinel: `redis://127.0.0.1:${watch}`,
    killPrimary: () => void primary.kill('SIGKILL'),
  };
};
