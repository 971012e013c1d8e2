import { startTenant, type Tenant, type TenantOptions } from '../../src/tenant/index.ts';
import {
  freePort,
  startAlternating,
  startGateway,
  type Alternating,
  type Listening,
} from './gateway.ts';
import type { RequestListener } from 'node:http';
import type { Gateway } from '../../src/gateway/index.ts';
import type { Wire } from './wire.ts';
import type { Log } from '../../src/gateway/http/log.ts';
import { createPerson, type Credentials, type Person } from './person.ts';
import { startRedis, type RedisServer } from './redis.ts';

/** A tenant, gateways before it that share one public origin, and, where asked for, the Redis they share. */
export interface World {
  readonly tenant: Tenant;
  readonly origin: string;
  readonly gateways: readonly Listening[];
  readonly redis: RedisServer | undefined;
  readonly user: Credentials;
  readonly clientSecret: string;
  readonly serverSecret: string;
  /** Somebody at a browser before the page; the demo user when nobody else is named. */
  person(who?: Credentials): Person;
  close(): Promise<void>;
}

/** Starts it, everything real and on this machine. The caller closes it. */
export const startWorld = async (
  options: {
    gateways?: number;
    redis?: boolean;
    settings?: Record<string, string>;
    tenant?: TenantOptions;
    /** Stands between gateways and tenant, whose public origin it then is, and keeps the secrets that cross. */
    wire?: Wire;
    log?: Log;
    /** The application that the gateways are guests of. */
    host?: (gateway: Gateway) => RequestListener;
    /** Scopes of the My Account API that a refresh may ask for beyond those of the login (multi-resource refresh tokens). */
    refreshPolicy?: string[];
    /** Members of the application's record at the tenant that differ; with `jwks` it has no secret. */
    client?: Partial<NonNullable<TenantOptions['clients']>[number]>;
  } = {},
): Promise<World> => {
  const { gateways: count = 1, settings = {} } = options;
  const shared = options.redis === true || (count > 1 && settings['REDIS_URL'] === undefined);
  const redis = shared ? await startRedis() : undefined;
  const front: Alternating = await startAlternating();
  const origin = front.url;
  const clientSecret = `world-client-secret-${'x'.repeat(16)}`;
  const serverSecret = 'a secret of the tests that is long enough to seal with';
  const tenantPort = options.wire === undefined ? 0 : await freePort();
  const tenant = await startTenant({
    control: true,
    ...(options.wire && { port: tenantPort, issuer: `${options.wire.url}/` }),
    ...options.tenant,
    clients: [
      {
        client_id: 'world',
        ...(options.client?.jwks === undefined && { client_secret: clientSecret }),
        callbacks: [`${origin}/auth/callback`, `${origin}/auth/connect/callback`],
        allowed_logout_urls: [`${origin}/`],
        backchannel_logout_uri: `${origin}/auth/backchannel-logout`,
        ...options.client,
      },
      ...(options.tenant?.clients ?? []),
    ],
  });
  if (options.refreshPolicy !== undefined) {
    const clients = tenant.settings().clients.map((client) => ({
      ...client,
      refresh_token_policies: [{ audience: `${tenant.issuer}me/`, scope: options.refreshPolicy }],
    }));
    tenant.configure({ clients });
  }
  options.wire?.target(`http://127.0.0.1:${tenantPort}`);
  const started = await Promise.allSettled(
    Array.from({ length: count }, async () =>
      startGateway(
        {
          AUTH0_DOMAIN: tenant.url,
          AUTH0_CLIENT_ID: 'world',
          ...(options.client?.jwks === undefined && { AUTH0_CLIENT_SECRET: clientSecret }),
          AUTH0_SECRET: serverSecret,
          APP_BASE_URL: origin,
          ...(redis && { REDIS_URL: redis.url }),
          ...settings,
        },
        0,
        options.log,
        options.host,
      ),
    ),
  );
  const gateways = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const close = async (): Promise<void> => {
    await front.close();
    await Promise.all(gateways.map(async (each) => each.close()));
    await tenant.close();
    await redis?.stop();
  };
  const failed = started.find((each) => each.status === 'rejected');
  if (failed !== undefined) {
    await close();
    throw failed.reason;
  }
  front.targets(gateways.map(({ url }) => url));
  const user = tenant.demoUser;
  return {
    tenant,
    origin,
    gateways,
    redis,
    user,
    clientSecret,
    serverSecret,
    person: (who = user) => createPerson(origin, who),
    close,
  };
};
