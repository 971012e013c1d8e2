import type { IncomingMessage } from 'node:http';
import { type RequestHandler } from 'express';
import type { Settings } from '../../config/settings.ts';
import { createAccount } from './account/handler.ts';
import { createCache } from './cache/cache.ts';
import { createClient } from './my-account/client.ts';
import { allScopes } from './my-account/operations.ts';
import { createTransport } from './my-account/transport.ts';
import type { Auth0 } from './auth0/auth0.ts';
import { createLogoutTokens } from './auth0/logout-token.ts';
import { type Connecting } from './connect/start.ts';
import { type Background } from './http/background.ts';
import type { Log } from './http/log.ts';
import type { Metrics } from './http/metrics.ts';
import { createSameOrigin, foreign } from './http/same-origin.ts';
import { flat, securityHeaders } from './http/security-headers.ts';
import { type TakeUpgrade } from './http/upgrades.ts';
import type { Limiter } from './limiter/limiter.ts';
import { createAuthorize } from './login/authorize.ts';
import { createTransactions } from './login/transactions.ts';
import { createSessionStatus } from './session/status.ts';
import type { Redis } from './redis/client.ts';
import { createEventStreams } from './session/event-stream.ts';
import type { Events } from './session/events.ts';
import type { Notices } from './session/notices.ts';
import { createSessionCookie } from './session/cookie.ts';
import { createUserSessions } from './session/user-sessions.ts';
import { createPending } from './session/pending.ts';
import { createSeal } from './session/seal.ts';
import { createSessions, type Session } from './session/sessions.ts';
import type { Store } from './session/store.ts';
import { createCallers, createUserHandles } from './session/user-handle.ts';
import { createChallenge } from './step-up/challenge.ts';
import { createStepUpScopes } from './step-up/scopes.ts';
import { createAccessTokens } from './tokens/access-token.ts';
import { createRefresh } from './tokens/refresh.ts';
import { createEndFormer, createRevoke } from './tokens/revoke.ts';

/** What the parts of an application are made of; whoever made one also closes it. */
export interface AppParts {
  readonly settings: Settings;
  readonly auth0: Auth0;
  readonly store: Store;
  readonly events: Events;
  readonly notices: Notices;
  readonly limiter: Limiter;
  readonly background: Background;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly redis: Redis | undefined;
  readonly ready: () => Promise<boolean>;
  readonly front: { readonly handle: RequestHandler; readonly upgrade?: TakeUpgrade } | undefined;
}

const words = (text: string): string[] => text.split(' ').filter((word) => word !== '');

/** Returns the parts that the routes of an application are made of, each made once from the settings. */
export const createParts = (given: AppParts) => {
  const { settings, auth0, store, events, notices, limiter, background, log, metrics } = given;
  const origin = settings.APP_BASE_URL;
  const https = origin.startsWith('https:');
  const secrets = settings.AUTH0_SECRET;
  const loginScope = words(settings.AUTH0_SCOPE);
  const silentScope = words(settings.AUTH0_SILENT_SCOPE);
  const idleMs = settings.SESSION_IDLE_TIMEOUT * 1000;
  const absoluteMs = settings.SESSION_ABSOLUTE_TIMEOUT * 1000;
  const stepUp = {
    audience: auth0.audience,
    acrValues: settings.STEP_UP_ACR_VALUES,
    maxAgeSeconds: settings.STEP_UP_MAX_AGE,
  };

  const listSeal = createSeal(secrets, 'session list');
  const revoke = createRevoke({ auth0, background, log });
  const kept = { store, listSeal, issuer: auth0.issuer, idleMs, events };
  const sessions = createSessions({
    ...kept,
    seal: createSeal(secrets, 'session'),
    absoluteMs,
    refreshMs: settings.AUTH0_REFRESH_LIFETIME * 1000,
    revoke,
    track: background.track,
  });
  const list = createUserSessions(kept);
  const cookie = createSessionCookie({ sessions, secrets, origin, absoluteMs, revoke });
  const handles = createUserHandles({ secrets, issuer: auth0.issuer });
  // What a page asks of a session it asks of its own user's: somebody else may have signed in meanwhile.
  const attach = [cookie.attach, handles.check];
  const attachEvery = [cookie.attachEvery, handles.check];
  const streams = createEventStreams({ events, sessions });
  const refresh = createRefresh({
    ...{ auth0, sessions, store, background, log, metrics },
    // An online refresh token is not spent: whoever comes after a lost exchange asks again.
    leewayMs:
      settings.AUTH0_REFRESH_MODE === 'online'
        ? Number.MAX_SAFE_INTEGER
        : settings.AUTH0_REFRESH_LEEWAY * 1000,
    exchangeMs: settings.TOKEN_EXCHANGE_TIMEOUT,
  });
  const accessTokens = createAccessTokens({ auth0, sessions, refresh, silentScope });
  const stepUpScopes = createStepUpScopes({
    audience: auth0.audience,
    loginScope,
    silentScope,
    maxAgeMs: stepUp.maxAgeSeconds * 1000,
  });
  const challenge = createChallenge<Session>({
    ...{
      scopes: stepUpScopes,
      metrics,
      maxAgeSeconds: stepUp.maxAgeSeconds,
      needed: notices.stepUpNeeded,
    },
  });
  const transactions = createTransactions({
    seal: createSeal(secrets, 'transaction'),
    consumeOnce: store.consumeOnce,
    origin,
  });
  const knownScopes: ReadonlySet<string> = new Set(allScopes);
  const headers = securityHeaders({ https, formTargets: [settings.AUTH0_DOMAIN] });
  const upstream = settings.AUTH0_DOMAIN;
  const answerMs = settings.UPSTREAM_ANSWER_TIMEOUT;
  const publicPath = '/api/me';
  const transport = createTransport({
    upstream,
    connectMs: settings.UPSTREAM_CONNECT_TIMEOUT,
    answerMs,
  });
  const cache = createCache({ redis: given.redis, secrets, seconds: settings.READ_KEEP_SECONDS });
  const tokens = {
    scopes: stepUpScopes.usable,
    declined: stepUpScopes.declined,
    token: accessTokens.token,
    rejected: accessTokens.rejected,
  };
  const client = createClient({
    ...{ upstream, publicPath, tokens, limiter, transport, metrics, answerMs, cache },
    changed: notices.methodChanged,
  });
  const accountParts = {
    ...{ client, upstream, tokens, limiter, challenge, answerMs, cache },
    headers: flat(headers),
    sessions: {
      ...createCallers(cookie, handles),
      crossSiteReason: (req: IncomingMessage) => foreign(req, origin),
    },
    pipeline: given.redis?.pipeline,
  };
  const account = createAccount({ ...accountParts, publicPath });
  // What Auth0's Universal Components ask for with `baseUrl: "/"`.
  const accountAtRoot = settings.ME_AT_ROOT
    ? createAccount({ ...accountParts, publicPath: '/me' })
    : undefined;
  const sameOrigin = createSameOrigin({ origin });
  const status = createSessionStatus(async (session) => ({
    userHandle: handles.of(session),
    scopes: stepUpScopes.granted(session),
    stepUpFreshFor: stepUpScopes.stepUpValidFor(session) ?? null,
    quota: await limiter.peek(session.user),
  }));
  const endFormer = createEndFormer({ sessions, revoke });
  const authorize = createAuthorize({ auth0, log });
  const verify = createLogoutTokens({
    issuer: auth0.issuer,
    clientId: settings.AUTH0_CLIENT_ID,
    algorithms: settings.ID_TOKEN_ALGORITHMS,
    ...{ metadata: auth0.metadata, skewSeconds: auth0.skewSeconds, timeoutMs: 3_000 },
  });
  const connect = {
    ...{ client, upstream, tokens, origin, challenge, log },
    seal: createSeal(secrets, 'connect state'),
    pending: createPending<Connecting>({
      ...{ store, origin, name: 'connect_', sameSite: 'lax', lifetimeMs: 600_000 },
      seal: createSeal(secrets, 'connect'),
    }),
  };
  return {
    origin,
    https,
    loginScope,
    stepUp,
    revoke,
    sessions,
    list,
    cookie,
    attach,
    attachEvery,
    streams,
    transactions,
    knownScopes,
    headers,
    answerMs,
    publicPath,
    transport,
    account,
    accountAtRoot,
    endFormer,
    authorize,
    verify,
    connect,
    status,
    sameOrigin,
  };
};
