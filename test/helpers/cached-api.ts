import { randomBytes } from 'node:crypto';
import type { Cache } from '../../src/gateway/cache/cache.ts';
import { createMemoryIdempotency } from '../../src/gateway/cache/memory-idempotency.ts';
import { createMemoryCache } from '../../src/gateway/cache/memory-store.ts';
import { createRedisIdempotency } from '../../src/gateway/cache/redis-idempotency.ts';
import { createRedisCache } from '../../src/gateway/cache/redis-store.ts';
import type { Redis } from '../../src/gateway/redis/client.ts';
import { createSeal } from '../../src/gateway/session/seal.ts';
import { from, sessionOf, startGateway, startUpstream } from './api.ts';
import type { Gateway, Upstream } from './api.ts';

interface Method {
  readonly id: string;
  readonly type: string;
  name?: string;
  confirmed?: boolean;
}

/** Where gateways keep answers, and what they remember of changes. */
export type Stores = Pick<Cache, 'store' | 'changes'>;

/** Both in this process, by its clock unless one is handed in. */
export const memoryStores = (now?: () => number): Stores => ({
  store: createMemoryCache(now),
  changes: createMemoryIdempotency(now),
});

/** Both in Redis. */
export const redisStores = (redis: Redis): Stores => ({
  store: createRedisCache(redis),
  changes: createRedisIdempotency(redis),
});

/** An API with a list of methods that writes change, and two gateways in front that keep answers in one store. */
export async function startCachedApi(
  { store, changes }: Stores = memoryStores(),
  freshMs = 30_000,
) {
  const methods: Method[] = [];
  let next = 1;
  /** Every list there has been, in order. */
  const versions = ['[]'];
  /** Enrolments begun: Auth0 does not say whether its list shows them. */
  const begun: string[] = [];
  const state = {
    delayMs: (_method: string): number => 0,
    methods,
    versions,
    begun,
    showsBegun: false,
  };
  const upstream: Upstream = await startUpstream((req, res, body) => {
    const { method, url = '' } = req;
    const id = decodeURIComponent(url.split('/')[4] ?? '');
    const send = (status: number, value?: unknown): void => {
      setTimeout(
        () => {
          res.writeHead(status, { 'content-type': 'application/json' });
          res.end(value === undefined ? undefined : JSON.stringify(value));
        },
        state.delayMs(method ?? ''),
      );
    };
    // What is read or changed is read or changed at once; only the answer takes its time.
    if (method === 'GET') send(200, { authentication_methods: structuredClone(methods) });
    else if (method === 'DELETE') {
      methods.splice(0, methods.length, ...methods.filter((each) => each.id !== id));
      send(204);
    } else if (method === 'PATCH') {
      const found = methods.find((each) => each.id === id);
      if (found === undefined) send(404, { status: 404 });
      else send(200, Object.assign(found, JSON.parse(body)));
    } else if (url.endsWith('/verify')) {
      const made: Method = { id: begun.includes(id) ? id : `totp|dev_${next++}`, type: 'totp' };
      const shown = methods.findIndex((each) => each.id === id);
      methods.splice(shown === -1 ? methods.length : shown, shown === -1 ? 0 : 1, made);
      send(201, made);
    } else {
      const enrolled = `totp|dev_${next++}`;
      begun.push(enrolled);
      if (state.showsBegun) methods.push({ id: enrolled, type: 'totp', confirmed: false });
      send(202, { id: enrolled, auth_session: 's' });
    }
    if (JSON.stringify(methods) !== versions.at(-1)) versions.push(JSON.stringify(methods));
  });
  const seal = createSeal([randomBytes(32).toString('hex')], 'kept answers');
  const cache: Cache = { store, changes, seal, freshMs };
  const parts = { cache, sessions: from(sessionOf()) };
  const gateways: Gateway[] = [
    await startGateway(upstream.origin, parts),
    await startGateway(upstream.origin, parts),
  ];
  const reads = (): number => upstream.seen.filter((seen) => seen.method === 'GET').length;
  const writes = (): number => upstream.seen.length - reads();
  return {
    upstream,
    state,
    gateways,
    reads,
    writes,
    async close() {
      for (const gateway of gateways) await gateway.close();
      await upstream.close();
    },
  };
}
