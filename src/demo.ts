import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createGateway } from './gateway/index.ts';
import type { Log } from './gateway/http/log.ts';
import { serve } from './gateway/serve.ts';
import { startTenant } from './tenant/index.ts';

/** What the demo prints when it is ready. */
export interface Demo {
  readonly gateway: string;
  readonly tenant: string;
  readonly admin: string;
  readonly user: { readonly email: string; readonly password: string; readonly totpSecret: string };
  stop(): Promise<void>;
}

const freePort = async (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '::', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

/** Starts a tenant and a gateway with the account page on this machine: the gateway as it always is, configured for that tenant. */
export const startDemo = async (
  environment: Record<string, string | undefined>,
  options: { port: number; log?: Log },
): Promise<Demo> => {
  const port = options.port === 0 ? await freePort() : options.port;
  const origin = `http://localhost:${port}`;
  const clientId = 'demo-account-page';
  const clientSecret = randomBytes(32).toString('base64url');
  const tenant = await startTenant({
    control: true,
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        name: 'Account page',
        callbacks: [`${origin}/auth/callback`, `${origin}/auth/connect/callback`],
        allowed_logout_urls: [`${origin}/`],
        backchannel_logout_uri: `${origin}/auth/backchannel-logout`,
      },
    ],
  });
  const { demoUser } = tenant;
  const page = [
    join(import.meta.dirname, '../dist/page'),
    join(import.meta.dirname, '../page'),
  ].find((folder) => existsSync(join(folder, 'index.html')));
  const gateway = createGateway(
    {
      LOG_LEVEL: 'warn',
      AUTH0_PLAN: 'enterprise',
      DRAIN_DELAY_SECONDS: '0',
      ME_AT_ROOT: 'true',
      ...environment,
      AUTH0_DOMAIN: tenant.url,
      AUTH0_CLIENT_ID: clientId,
      AUTH0_CLIENT_SECRET: clientSecret,
      AUTH0_SECRET: randomBytes(32).toString('hex'),
      APP_BASE_URL: origin,
      PORT: String(port),
      ADMIN_PORT: environment['ADMIN_PORT'] ?? '0',
      ...(page === undefined ? {} : { WEB_ROOT: page }),
    },
    options.log === undefined ? {} : { log: options.log },
  );
  const served = await serve(gateway).catch(async (error: unknown) => {
    await tenant.close();
    await gateway.close();
    throw error;
  });
  return {
    gateway: origin,
    tenant: tenant.url,
    admin: `http://127.0.0.1:${served.adminPort}`,
    user: demoUser,
    async stop() {
      await served.stop();
      await tenant.close();
    },
  };
};
