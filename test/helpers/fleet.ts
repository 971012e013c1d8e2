import { startTenant, type Tenant, type TenantOptions } from '../../src/tenant/index.ts';
import { freePort, startAlternating, type Alternating } from './gateway.ts';
import { createPerson, type Person } from './person.ts';
import { startProgram, type Running } from './process.ts';
import { startRedis, type RedisServer } from './redis.ts';

/** One gateway as a process of its own. */
export interface Member {
  readonly url: string;
  readonly admin: string;
  readonly program: Running<unknown>;
  /** Whether the process is still there and answers on its admin port. */
  alive(): Promise<boolean>;
}

/** A tenant, a Redis, and gateways that are processes of their own behind one public origin. */
export interface Fleet {
  readonly tenant: Tenant;
  readonly redis: RedisServer;
  readonly front: Alternating;
  readonly members: readonly Member[];
  /** Somebody at a browser before the public origin, as the demo user. */
  person(): Person;
  close(): Promise<void>;
}

/** Starts it and waits until every gateway answers. The caller closes it. */
export const startFleet = async (options: {
  count: number;
  settings?: Record<string, string>;
  tenant?: TenantOptions;
}): Promise<Fleet> => {
  const [front, redis] = await Promise.all([startAlternating(), startRedis()]);
  const tenant = await startTenant({
    control: true,
    limits: { enforced: false },
    clients: [
      {
        client_id: 'fleet',
        client_secret: 'a-client-secret',
        callbacks: [`${front.url}/auth/callback`],
        allowed_logout_urls: [`${front.url}/`],
      },
    ],
    ...options.tenant,
  });
  const members: Member[] = [];
  const close = async (): Promise<void> => {
    redis.thaw();
    await Promise.all(members.map(async ({ program }) => program.kill()));
    await front.close();
    await tenant.close();
    await redis.stop();
  };
  const start = async (): Promise<void> => {
    const [port, adminPort] = [await freePort(), await freePort()];
    const program = await startProgram<unknown>(['start'], {
      AUTH0_DOMAIN: tenant.url,
      AUTH0_CLIENT_ID: 'fleet',
      AUTH0_CLIENT_SECRET: 'a-client-secret',
      AUTH0_SECRET: 'the secret of gateways that share it',
      APP_BASE_URL: front.url,
      REDIS_URL: redis.url,
      RATE_LIMIT_USER_READ: '10000',
      RATE_LIMIT_USER_FACTORS_READ: '10000',
      READ_KEEP_SECONDS: '0',
      INSTANCES: String(options.count),
      DRAIN_DELAY_SECONDS: '0',
      PORT: String(port),
      ADMIN_PORT: String(adminPort),
      ...options.settings,
    });
    const admin = `http://127.0.0.1:${adminPort}`;
    const alive = async (): Promise<boolean> =>
      fetch(`${admin}/healthz`, { signal: AbortSignal.timeout(10_000) }).then(
        ({ ok }) => ok,
        () => false,
      );
    members.push({ url: `http://localhost:${port}`, admin, program, alive });
  };
  try {
    for (let i = 0; i < options.count; i += 1) await start();
    front.targets(members.map(({ url }) => url));
    return {
      tenant,
      redis,
      front,
      members,
      person: () => createPerson(front.url, tenant.demoUser),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
};
