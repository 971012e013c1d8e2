import { Agent, createServer, request, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createPerson, type Credentials } from '../../test/helpers/person.ts';
import { startRedis } from '../../test/helpers/redis.ts';
import { startWorld } from '../../test/helpers/world.ts';
import { startTenant, type Tenant, type TenantOptions } from '../../src/tenant/index.ts';
import { contenders, type Gate } from '../limiter/contenders.ts';
import { everyBucket } from '../../test/helpers/buckets.ts';

type Plan = NonNullable<TenantOptions['plan']>;

/** What everybody is configured with: the plan, and one user's reads and writes a minute where they differ from it. */
export interface Conditions {
  readonly plan: Plan;
  readonly tenantPerSecond: number;
  readonly userPerMinute: number;
  readonly gateways: number;
  /** Of our gateway only, beyond its defaults. */
  readonly settings?: Record<string, string>;
}

/** One arrangement before a strict tenant of its own. */
export interface Arrangement {
  readonly tenant: Tenant;
  /** Where its gateways listen; a request may go to any. */
  readonly origins: readonly string[];
  /** The one public origin of gateways that sign in by themselves; a plain proxy has none. */
  readonly front?: string;
  /** Signs a user in; answers the headers that every later request of theirs carries. */
  signIn(who: Credentials): Promise<Record<string, string>>;
  close(): Promise<void>;
}

/** Starts one arrangement. */
export type Open = (conditions: Conditions) => Promise<Arrangement>;

const apiScopes = ['read', 'create', 'update', 'delete'].map(
  (verb) => `${verb}:me:authentication_methods`,
);
/** All that the account page may ask for. */
export const fullScope = [
  'openid profile email offline_access',
  ...apiScopes,
  'read:me:factors',
].join(' ');
const limitsOf = ({ userPerMinute }: Conditions) => ({ user: everyBucket(userPerMinute) });

const ours: Open = async (conditions) => {
  const { plan, userPerMinute, gateways, settings } = conditions;
  const own = {
    RATE_LIMIT_USER_READ: String(userPerMinute),
    RATE_LIMIT_USER_WRITE: String(userPerMinute),
  };
  const world = await startWorld({
    gateways,
    redis: true,
    tenant: { plan, limits: limitsOf(conditions) },
    settings: { AUTH0_PLAN: plan, ...own, ...settings },
  });
  return {
    tenant: world.tenant,
    origins: world.gateways.map(({ url }) => url),
    front: world.origin,
    async signIn(who) {
      const person = createPerson(world.origin, who);
      await person.signIn('/');
      return {
        cookie: await person.jar.getCookieString(world.origin),
        'sec-fetch-site': 'same-origin',
      };
    },
    close: world.close,
  };
};

/** A proxy that adds the token and asks a limiter first: refused, it tells the end of the user's minute, as those limiters do. */
const plain =
  (name: string): Open =>
  async (conditions) => {
    const { plan, gateways, tenantPerSecond: tenantLimit, userPerMinute } = conditions;
    const redis = await startRedis();
    const secret = `bench-client-secret-${'x'.repeat(16)}`;
    const tenant = await startTenant({
      plan,
      limits: limitsOf(conditions),
      clients: [
        {
          client_id: 'bench',
          client_secret: secret,
          callbacks: ['http://localhost/'],
          grant_types: ['password', 'refresh_token'],
        },
      ],
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 256 });
    const tokens = new Map<string, string>();
    const minutes = new Map<string, number>();
    const gates: Gate[] = [];
    const servers: Server[] = [];
    const open = async (): Promise<string> => {
      const numbers = { tenant: tenantLimit, user: userPerMinute };
      const [reads, writes] = [
        await contenders[name]?.(redis.url, 'read:', numbers),
        await contenders[name]?.(redis.url, 'write:', numbers),
      ];
      if (reads === undefined || writes === undefined) throw new Error(`no contender ${name}`);
      gates.push(reads, writes);
      const server = createServer((req, res) => {
        const user = String(req.headers['user']);
        const reading = req.method === 'GET';
        const pass = async (): Promise<void> => {
          if (!(await (reading ? reads : writes).admit(user))) {
            const began = minutes.get(`${user} ${String(reading)}`) ?? Date.now();
            const left = Math.max(1, Math.ceil((began + 60_000 - Date.now()) / 1_000));
            res.writeHead(429, { 'retry-after': String(left) }).end();
            req.resume();
            return;
          }
          const key = `${user} ${String(reading)}`;
          if (Date.now() - (minutes.get(key) ?? 0) > 60_000) minutes.set(key, Date.now());
          const { host: _host, connection: _connection, ...headers } = req.headers;
          const onward = request(
            `${tenant.url}${(req.url ?? '').replace('/api/me', '/me')}`,
            {
              method: req.method ?? 'GET',
              agent,
              headers: { ...headers, authorization: `Bearer ${tokens.get(user) ?? ''}` },
            },
            (answer: IncomingMessage) => {
              res.writeHead(answer.statusCode ?? 502, answer.headers);
              answer.pipe(res);
            },
          );
          onward.once('error', () => res.destroy());
          req.pipe(onward);
        };
        pass().catch(() => res.destroy());
      });
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    };
    const origins: string[] = [];
    for (let i = 0; i < gateways; i += 1) origins.push(await open());
    return {
      tenant,
      origins,
      async signIn({ email, password }) {
        const form = {
          ...{
            grant_type: 'password',
            username: email,
            password,
            scope: fullScope,
            audience: `${tenant.issuer}me/`,
          },
          ...{ client_id: 'bench', client_secret: secret },
        };
        const answer = await fetch(`${tenant.url}/oauth/token`, {
          method: 'POST',
          body: new URLSearchParams(form),
        });
        const { access_token: token } = (await answer.json()) as { access_token?: string };
        if (token === undefined) throw new Error(`no token for the bench: ${answer.status}`);
        tokens.set(email, token);
        return { user: email };
      },
      async close() {
        agent.destroy();
        for (const gate of gates) await gate.close();
        for (const server of servers) {
          server.closeAllConnections();
          await new Promise((resolve) => server.close(resolve));
        }
        await tenant.close();
        await redis.stop();
      },
    };
  };

/** Side by side, by the name they have in the tables. */
export const arrangements: Readonly<Record<string, Open>> = Object.fromEntries(
  Object.keys(contenders).map((name): [string, Open] => [
    name,
    name === 'this gateway' ? ours : plain(name),
  ]),
);
