import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { startTenant, type Tenant } from '../../src/tenant/index.ts';
import { freePort, startAlternating } from './gateway.ts';
import { createPerson, type Person } from './person.ts';
import { startProgram, type Running } from './process.ts';
import { startRedis, type RedisServer } from './redis.ts';
import { startRelay, type Relay } from './relay.ts';

/** Gateways as processes of their own, each with a relay before Redis, and one relay between all of them and the tenant. */
export interface RelayedFleet {
  readonly tenant: Tenant;
  readonly redis: RedisServer;
  readonly origin: string;
  readonly gateways: readonly {
    readonly process: Running<unknown>;
    readonly port: number;
    readonly toRedis: Relay;
  }[];
  readonly toTenant: Relay;
  /** Lets the front send requests to this gateway only. */
  turnTo(index: number): void;
  /** Somebody who has signed in over the gateway that is turned to. */
  signedIn(): Promise<Person>;
  /** How the tenant answered the refreshes it was asked for, by status. */
  refreshes(): (number | undefined)[];
  /** How often a token was revoked at the tenant. */
  revocations(): number;
  /** What stands in Redis of each session: its generation (0 of one that ended), and how long its lease still holds by Redis' clock. */
  entries(): Promise<
    { readonly generation: number; readonly leaseLeftMs: number; readonly spent: boolean }[]
  >;
  close(): Promise<void>;
}

/** Asks until the answer is true, for a time that no machine exceeds; throws with what was waited for. */
export const until = async (
  what: string,
  true_: () => boolean | Promise<boolean>,
  withinMs = 60_000,
): Promise<void> => {
  const end = performance.now() + withinMs;
  while (!(await true_())) {
    if (performance.now() > end) throw new Error(`it never came true that ${what}`);
    await sleep(20);
  }
};

/** Starts it; tokens live `accessTokenSeconds`, and the leeway is the tenant's and known to the gateways. The caller closes it. */
export const startRelayedFleet = async (
  options: {
    gateways?: number;
    leewaySeconds?: number;
    accessTokenSeconds?: number;
    settings?: Record<string, string>;
  } = {},
): Promise<RelayedFleet> => {
  const { gateways: count = 2, leewaySeconds = 0, accessTokenSeconds = 1, settings = {} } = options;
  const [front, redis, toTenant, tenantPort] = await Promise.all([
    startAlternating(),
    startRedis(),
    startRelay(),
    freePort(),
  ]);
  const issuer = `http://localhost:${toTenant.port}/`;
  toTenant.target(tenantPort);
  const tenant = await startTenant({
    control: true,
    port: tenantPort,
    issuer,
    tokens: { accessTokenSeconds, refreshLeewaySeconds: leewaySeconds },
    limits: { enforced: false },
    clients: [
      {
        client_id: 'fleet',
        client_secret: 'a-client-secret',
        callbacks: [`${front.url}/auth/callback`],
        allowed_logout_urls: [`${front.url}/`],
        backchannel_logout_uri: `${front.url}/auth/backchannel-logout`,
      },
    ],
  });
  const relays = await Promise.all(
    Array.from({ length: count }, async () => startRelay(redis.port)),
  );
  const ports = await Promise.all(relays.map(async () => freePort()));
  const started = await Promise.all(
    relays.map(async (toRedis, i) => {
      const process = await startProgram<unknown>(['start'], {
        AUTH0_DOMAIN: issuer,
        AUTH0_CLIENT_ID: 'fleet',
        AUTH0_CLIENT_SECRET: 'a-client-secret',
        AUTH0_SECRET: 'the secret of the gateways that share it',
        AUTH0_REFRESH_LEEWAY: String(leewaySeconds),
        APP_BASE_URL: front.url,
        REDIS_URL: `redis://127.0.0.1:${toRedis.port}`,
        RATE_LIMIT_USER_READ: '10000',
        RATE_LIMIT_TENANT_READ: '10000',
        // Each request is to need a token.
        READ_KEEP_SECONDS: '0',
        INSTANCES: String(count),
        DRAIN_DELAY_SECONDS: '0',
        PORT: String(ports[i]),
        ADMIN_PORT: '0',
        ...settings,
      });
      return { process, port: ports[i] ?? 0, toRedis };
    }),
  );
  const look = new Redis(redis.port, '127.0.0.1', {
    lazyConnect: true,
    maxRetriesPerRequest: null,
  });
  look.on('error', () => undefined);
  const turnTo = (index: number): void => front.targets([`http://localhost:${ports[index]}`]);
  turnTo(0);
  const refreshes = () =>
    tenant.requests().filter(({ parameters }) => parameters?.['grant_type'] === 'refresh_token');
  return {
    tenant,
    redis,
    origin: front.url,
    gateways: started,
    toTenant,
    turnTo,
    async signedIn() {
      const person = createPerson(front.url, tenant.demoUser);
      await person.signIn('/auth/session');
      return person;
    },
    refreshes: () => refreshes().map(({ status }) => status),
    revocations: () => tenant.requests().filter(({ path }) => path === '/oauth/revoke').length,
    async entries() {
      const keys = (await look.keys('*session:*')).sort();
      const [seconds = 0, micros = 0] = (await look.time()).map(Number);
      const now = seconds * 1000 + Math.floor(micros / 1000);
      const values = await Promise.all(keys.map(async (key) => look.getBuffer(key)));
      return values.flatMap((value) =>
        value === null
          ? []
          : [
              {
                generation: value.readUInt32BE(1),
                leaseLeftMs: value.readUIntBE(25, 6) - now,
                spent: value.readUIntBE(31, 6) > 0,
              },
            ],
      );
    },
    async close() {
      look.disconnect();
      redis.thaw();
      await front.close();
      await Promise.all(started.map(async ({ process }) => process.kill()));
      await Promise.all([...relays, toTenant].map(async (relay) => relay.close()));
      await tenant.close();
      await redis.stop();
    },
  };
};
