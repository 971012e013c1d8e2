import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { RequestHandler } from 'express';
import { bucketOverrides } from '../../config/rate-limits.ts';
import { readSettings, type Settings } from '../../config/settings.ts';
import { createApp } from './app.ts';
import { createAuth0 } from './auth0/client.ts';
import { createBackground } from './http/background.ts';
import { createFront } from './http/front.ts';
import { createLog, type Log } from './http/log.ts';
import type { Mountable } from './http/mountable.ts';
import { createDevServer, type DevServer } from './http/dev-server.ts';
import { createMetrics, type Metrics } from './http/metrics.ts';
import { withRequestId } from './http/request-id.ts';
import { createLimiter, type LimiterEvent } from './limiter/limiter.ts';
import { measureLimiter } from './limiter/metrics.ts';
import { createRedis } from './redis/client.ts';
import { watchHealth } from './redis/health.ts';
import { createEvents } from './session/events.ts';
import { createMemoryStore } from './session/memory-store.ts';
import { createNotices } from './session/notices.ts';
import { createRedisStore } from './session/redis-store.ts';

export { SettingsError } from '../../config/settings.ts';
export type { Settings } from '../../config/settings.ts';

/** A gateway to mount into an Express application, to listen with, or to hand to supertest. */
export interface Gateway {
  readonly app: Mountable;
  readonly settings: Settings;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Whether its store answers: what a load balancer wants to know. */
  ready(): Promise<boolean>;
  /** From now on `ready` is false; everything is still answered. */
  unready(): void;
  /** For the `upgrade` event of the server that `app` answers for: takes what is the gateway's or its front end's; false is the caller's to answer. */
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  /** Ends what would otherwise never end by itself: the event streams, and the connections that have switched to another protocol. */
  drain(): void;
  /**
   * Waits for exchanges, revocations and writes under way, at most `withinMs` (DRAIN_SECONDS), and ends its connections to Redis and Auth0; requests
   * under way are the caller's to wait for.
   */
  close(withinMs?: number): Promise<void>;
}

/** Makes a gateway from settings by their environment names, checked whole: throws SettingsError with every problem. `log` replaces the JSON lines on standard output. */
export const createGateway = (
  environment: Record<string, string | undefined>,
  options: { log?: Log; front?: RequestHandler } = {},
): Gateway => {
  const settings = readSettings(environment);
  const log = options.log ?? createLog({ level: settings.LOG_LEVEL });
  const metrics = createMetrics({ processMetrics: true });
  const redis =
    settings.REDIS_URL === undefined
      ? undefined
      : createRedis(
          {
            url: settings.REDIS_URL,
            keyPrefix: `${settings.REDIS_KEY_PREFIX}:`,
            waitMs: settings.REDIS_WAIT_MS,
          },
          log,
        );
  if (redis === undefined)
    log.warn(
      { store: 'memory' },
      'REDIS_URL is not set: sessions and limits live in this process, and end with it',
    );
  const store = redis === undefined ? createMemoryStore() : createRedisStore(redis);
  const auth0 = createAuth0({
    domain: settings.AUTH0_DOMAIN,
    clientId: settings.AUTH0_CLIENT_ID,
    clientSecret: settings.AUTH0_CLIENT_SECRET,
    signingKey: settings.AUTH0_CLIENT_ASSERTION_SIGNING_KEY,
    signingAlg: settings.AUTH0_CLIENT_ASSERTION_SIGNING_ALG,
    callback: `${settings.APP_BASE_URL}/auth/callback`,
    pushed: settings.AUTH0_PUSHED_AUTHORIZATION_REQUESTS,
    requestObjects: settings.AUTH0_REQUEST_OBJECTS,
    idTokenAlgorithms: settings.ID_TOKEN_ALGORITHMS,
    answerTimeoutMs: settings.UPSTREAM_ANSWER_TIMEOUT,
    exchangeTimeoutMs: settings.TOKEN_EXCHANGE_TIMEOUT,
    clockDiffers(seconds) {
      log.warn(
        { event: 'clock_differs', seconds },
        "this machine's clock and Auth0's differ: set the clock of this machine (NTP)",
      );
    },
  });
  const events = createEvents(redis, { log, metrics });
  const notices = createNotices(events);
  const measure = measureLimiter(metrics);
  const observe = (event: LimiterEvent): void => {
    measure(event);
    if (event.kind === 'refused' && event.by === 'user')
      notices.quotaRefused(event.user, event.retryMs);
  };
  const limiter = createLimiter(
    {
      tenant: auth0.issuer,
      plan: settings.AUTH0_PLAN,
      overrides: bucketOverrides(settings),
      deadlineMs: settings.BUDGET_DEADLINE,
      observe,
    },
    redis,
  );
  const health = redis && watchHealth(redis, log);
  let leaving = false;
  const ready = async (): Promise<boolean> => !leaving && ((await health?.serves()) ?? true);
  const front = options.front === undefined ? frontOf(settings) : { handle: options.front };
  const background = createBackground();
  const { app, upgrade, drain, close } = createApp({
    ...{
      redis,
      settings,
      auth0,
      store,
      events,
      notices,
      limiter,
      background,
      metrics,
      ready,
      front,
    },
    log: withRequestId(log),
  });
  return {
    app,
    upgrade,
    settings,
    metrics,
    log,
    ready,
    unready() {
      leaving = true;
    },
    drain,
    async close(withinMs = settings.DRAIN_SECONDS * 1000) {
      drain();
      if (!(await background.settled(withinMs)))
        log.warn(
          { event: 'work_cut_off' },
          'stopped before all exchanges, revocations and writes were done: DRAIN_SECONDS is too short',
        );
      close();
      notices.close();
      await limiter.close();
      store.close();
      await redis?.close();
    },
  };
};

const frontOf = ({
  WEB_ROOT,
  WEB_ORIGIN,
  APP_BASE_URL,
  TRUST_PROXY,
}: Settings): { handle: RequestHandler } | DevServer | undefined => {
  if (WEB_ROOT !== undefined) return { handle: createFront(WEB_ROOT) };
  if (WEB_ORIGIN === undefined) return undefined;
  return createDevServer({ target: WEB_ORIGIN, origin: APP_BASE_URL, trustProxy: TRUST_PROXY });
};
