import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { createLog } from '../../src/gateway/http/log.ts';
import { createGateway } from '../../src/gateway/index.ts';
import { serve } from '../../src/gateway/serve.ts';
import { startTenant } from '../../src/tenant/index.ts';
import { freePort, startAlternating, type Alternating } from '../helpers/gateway.ts';
import { startRedis } from '../helpers/redis.ts';
import { startWire } from '../helpers/wire.ts';
import { liveThrough } from './journey.ts';

const page = join(import.meta.dirname, '../../dist/page');
const clientSecret = 'client-secret-canary-0123456789abcdef';
const gatewaySecret = 'gateway-secret-canary-0123456789abcdef';

let front: Alternating;

liveThrough(
  'Two gateways on one Redis',
  async () => {
    const [redis, wire, alternating] = await Promise.all([
      startRedis(),
      startWire(),
      startAlternating(),
    ]);
    front = alternating;
    const origin = front.url;
    // The tenant's public address is the wire's: every secret between gateways and tenant crosses
    // it and is kept.
    const port = await freePort();
    const tenant = await startTenant({
      port,
      issuer: `${wire.url}/`,
      clients: [
        {
          client_id: 'two',
          client_secret: clientSecret,
          callbacks: [`${origin}/auth/callback`],
          allowed_logout_urls: [`${origin}/`],
        },
      ],
    });
    wire.target(`http://127.0.0.1:${port}`);
    const lines: string[] = [];
    const log = createLog({
      level: 'debug',
      destination: { write: (line: string) => void lines.push(line) },
    });
    const settings = {
      AUTH0_DOMAIN: wire.url,
      AUTH0_CLIENT_ID: 'two',
      AUTH0_CLIENT_SECRET: clientSecret,
      AUTH0_SECRET: gatewaySecret,
      APP_BASE_URL: origin,
      REDIS_URL: redis.url,
      WEB_ROOT: page,
      INSTANCES: '2',
      HOST: '127.0.0.1',
      PORT: '0',
      ADMIN_PORT: '0',
      DRAIN_DELAY_SECONDS: '0',
    };
    const gateways = await Promise.all([1, 2].map(() => serve(createGateway(settings, { log }))));
    front.targets(gateways.map(({ port }) => `http://127.0.0.1:${port}`));
    return {
      origin,
      user: tenant.demoUser,
      async gather(evidence) {
        evidence.add('the log', lines.join(''));
        for (const { adminPort } of gateways)
          evidence.add(
            'the metrics',
            await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text(),
          );
      },
      secrets() {
        const seen = wire.secrets();
        expect([...seen.keys()].map((name) => name.split(' ')[0])).toEqual(
          expect.arrayContaining(['access_token', 'refresh_token']),
        );
        return new Map([
          ...seen,
          ['the client secret', clientSecret],
          ['the gateway secret', gatewaySecret],
        ]);
      },
      async close() {
        await Promise.all(gateways.map((gateway) => gateway.stop()));
        await Promise.all([front.close(), tenant.close(), wire.close()]);
        await redis.stop();
      },
    };
  },
  () => {
    test('both gateways answered, in turn', () => {
      const [one = 0, two = 0] = front.counts;
      expect(one).toBeGreaterThan(10);
      expect(Math.abs(one - two)).toBeLessThan(2);
    });
  },
);
