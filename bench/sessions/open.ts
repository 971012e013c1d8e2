import { createEvents } from '../../src/gateway/session/events.ts';
import type { Redis } from '../../src/gateway/redis/client.ts';
import { createRedisStore } from '../../src/gateway/session/redis-store.ts';
import { createSeal } from '../../src/gateway/session/seal.ts';
import { createSessions, type Sessions } from '../../src/gateway/session/sessions.ts';

/** Sessions as a gateway with this secret keeps them, to be begun without a sign-in: an hour idle, an hour in all. */
export const openSessions = (redis: Redis, issuer: string, secret: string): Sessions =>
  createSessions({
    store: createRedisStore(redis),
    seal: createSeal([secret], 'session'),
    listSeal: createSeal([secret], 'session list'),
    issuer,
    ...{ idleMs: 3_600_000, absoluteMs: 3_600_000, events: createEvents() },
  });
