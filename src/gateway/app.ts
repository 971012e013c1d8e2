import express, { type RequestHandler } from 'express';
import type { Settings } from '../../config/settings.ts';
import { createAccount } from './account/handler.ts';
import { createCache } from './cache/cache.ts';
import { createClient } from './my-account/client.ts';
import { allScopes } from './my-account/operations.ts';
import { createTransport } from './my-account/transport.ts';
import type { Auth0 } from './auth0/auth0.ts';
import { createLogoutTokens } from './auth0/logout-token.ts';
import { createConnectAnew, createConnectCallback } from './connect/finish.ts';
import { createConnectStart, type Connecting } from './connect/start.ts';
import { createEmbedded } from './embedded/routes.ts';
import { createAnswerErrors } from './http/answer-errors.ts';
import { createArrive } from './http/arrive.ts';
import { tracked, type Background } from './http/background.ts';
import { answeredWithin } from './http/deadline.ts';
import { createHealth } from './http/health.ts';
import type { Log } from './http/log.ts';
import type { Metrics } from './http/metrics.ts';
import { createOwns, mountable, type Mountable } from './http/mountable.ts';
import { otherMethod } from './http/other-method.ts';
import { areas, ownPaths } from './http/own-paths.ts';
import { createSameOrigin, foreign } from './http/same-origin.ts';
import { createSecurityHeaders, flat, securityHeaders } from './http/security-headers.ts';
import { createUnanswered } from './http/unanswered.ts';
import { createUpgrades, type TakeUpgrade, type Upgrades } from './http/upgrades.ts';
import type { Limiter } from './limiter/limiter.ts';
import { createBeginAnew } from './login/begin-anew.ts';
import { createCallback } from './login/callback.ts';
import { popupScript } from './login/popup.ts';
import { createAuthorize } from './login/authorize.ts';
import { createLoginStart } from './login/start.ts';
import { createStepUpStart } from './login/step-up.ts';
import { createTransactions } from './login/transactions.ts';
import { createBackChannelLogout } from './logout/back-channel.ts';
import { createLogout } from './logout/logout.ts';
import { createProfile, createSessionStatus, createStaySignedIn, signedIn } from './session/answer.ts';
import type { Redis } from './redis/client.ts';
import { createEventStreams } from './session/event-stream.ts';
import type { Events } from './session/events.ts';
import type { Notices } from './session/notices.ts';
import { createSessionCookie } from './session/attach.ts';
import { createSessionList } from './session/list.ts';
import { createListAnswers } from './session/list-answers.ts';
import { createPending } from './session/pending.ts';
import { createSeal } from './session/seal.ts';
import { createSessions, type Session } from './session/sessions.ts';
import type { Store } from './session/store.ts';
import { createCallers, createUserHandles } from './session/user-handle.ts';
import { createChallenge } from './step-up/challenge.ts';
import { createStanding } from './step-up/standing.ts';
import { createFresh } from './tokens/fresh.ts';
import { createRefresh } from './tokens/refresh.ts';
import { createEndFormer, createRevoke } from './tokens/revoke.ts';

/** What an application is put together from; whoever made a part also closes it. */
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

const except =
  (away: RegExp, handler: RequestHandler): RequestHandler =>
  (req, res, next) =>
    away.test(req.url) ? next() : handler(req, res, next);

/** Puts the gateway together: every route, in the order a request meets them. */
export const createApp = (parts: AppParts): { app: Mountable; upgrade: Upgrades['upgrade']; drain: () => void; close: () => void } => {
  const { settings, auth0, store, events, notices, limiter, background, log, metrics } = parts;
  const origin = settings.APP_BASE_URL;
  const https = origin.startsWith('https:');
  const secrets = settings.AUTH0_SECRET;
  const loginScope = words(settings.AUTH0_SCOPE);
  const silentScope = words(settings.AUTH0_SILENT_SCOPE);
  const idleMs = settings.SESSION_IDLE_TIMEOUT * 1000;
  const absoluteMs = settings.SESSION_ABSOLUTE_TIMEOUT * 1000;
  const stepUp = { audience: auth0.audience, acrValues: settings.STEP_UP_ACR_VALUES, maxAgeSeconds: settings.STEP_UP_MAX_AGE };

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
  const list = createSessionList(kept);
  const cookie = createSessionCookie({ sessions, secrets, origin, absoluteMs, revoke });
  const handles = createUserHandles({ secrets, issuer: auth0.issuer });
  // What a page asks of a session it asks of its own user's: somebody else may have signed in meanwhile.
  const attach = [cookie.attach, handles.check];
  const attachEvery = [cookie.attachEvery, handles.check];
  const streams = createEventStreams({ events, sessions });
  const refresh = createRefresh({
    ...{ auth0, sessions, store, background, log, metrics },
    leewayMs: settings.AUTH0_REFRESH_LEEWAY * 1000,
    exchangeMs: settings.TOKEN_EXCHANGE_TIMEOUT,
  });
  const fresh = createFresh({ auth0, sessions, refresh, silentScope });
  const standing = createStanding({ audience: auth0.audience, loginScope, silentScope, maxAgeMs: stepUp.maxAgeSeconds * 1000 });
  const challenge = createChallenge<Session>({
    ...{ standing, metrics, maxAgeSeconds: stepUp.maxAgeSeconds, needed: notices.stepUpNeeded },
  });
  const transactions = createTransactions({ seal: createSeal(secrets, 'transaction'), once: store.once, origin });
  const knownScopes: ReadonlySet<string> = new Set(allScopes);
  const headers = securityHeaders({ https, formTargets: [settings.AUTH0_DOMAIN] });
  const upstream = settings.AUTH0_DOMAIN;
  const answerMs = settings.UPSTREAM_ANSWER_TIMEOUT;
  const publicPath = '/api/me';
  const transport = createTransport({ upstream, connectMs: settings.UPSTREAM_CONNECT_TIMEOUT, answerMs });
  const cache = createCache({ redis: parts.redis, secrets, seconds: settings.READ_KEEP_SECONDS });
  const tokens = { scopes: standing.usable, declined: standing.declined, token: fresh.token, refused: fresh.refused };
  const client = createClient({
    ...{ upstream, publicPath, tokens, limiter, transport, metrics, answerMs, cache },
    changed: notices.methodChanged,
  });
  const account = createAccount({
    ...{ client, upstream, publicPath, tokens, limiter, challenge, answerMs, cache },
    headers: flat(headers),
    sessions: { ...createCallers(cookie, handles), crossSiteReason: (req) => foreign(req, origin) },
    pipeline: parts.redis?.pipeline,
  });
  const sameOrigin = createSameOrigin({ origin });
  const status = createSessionStatus(async (session) => ({
    userHandle: handles.of(session),
    scopes: standing.scopes(session),
    stepUpFreshFor: standing.freshFor(session) ?? null,
    quota: await limiter.peek(session.user),
  }));

  const app = express();
  app.disable('x-powered-by').disable('etag').set('query parser', 'simple');
  if (settings.TRUST_PROXY !== undefined) app.set('trust proxy', settings.TRUST_PROXY);
  // The public origin decides whether the browser came over https, not the last hop: behind a proxy that hop is plain, and a header could lie.
  Object.defineProperty(app.request, 'secure', { get: () => https });

  const arrive = createArrive({ log, metrics });
  app.use(arrive);
  // What comes from here writes its whole head at once, refusals too: a flood of them should cost next to nothing.
  const whole = (handler: RequestHandler): RequestHandler => tracked(background, handler);
  const change = whole(account);
  const handle: RequestHandler = (req, res, next) => (req.method === 'GET' ? account : change)(req, res, next);
  const failed = createAnswerErrors({ log, metrics, headers: flat(headers) });
  app.use(publicPath, handle, failed);
  app.use(createSecurityHeaders(headers));
  app.use(createHealth(parts.ready));

  const endFormer = createEndFormer({ sessions, revoke });
  const authorize = createAuthorize({ auth0, log });
  // An address may name several calls of Auth0's, each with a deadline of its own; none may hold a browser for longer.
  app.use('/auth', answeredWithin(60_000 + answerMs, failed));
  app.get('/auth/login', createLoginStart({ authorize, transactions, origin, scope: loginScope }));
  app.get(
    '/auth/callback',
    cookie.attachEvery,
    whole(
      createCallback({
        ...{ auth0, transactions, endFormer, revoke, cookie, origin, log, metrics },
        expected: stepUp,
        dpop: settings.AUTH0_DPOP,
      }),
    ),
    createBeginAnew({ transactions, origin }),
  );
  app.get('/auth/step-up', attach, createStepUpStart({ authorize, transactions, origin, loginScope, knownScopes, ...stepUp }));
  app.get('/auth/popup.js', (_req, res) => void res.type('js').send(popupScript));
  const logout = whole(createLogout({ auth0, sessions, cookie, revoke, origin, log, metrics }));
  app.route('/auth/logout').get(attachEvery, logout).post(attachEvery, logout);
  const verify = createLogoutTokens({
    issuer: auth0.issuer,
    clientId: settings.AUTH0_CLIENT_ID,
    algorithms: settings.ID_TOKEN_ALGORITHMS,
    ...{ metadata: auth0.metadata, skewSeconds: auth0.skewSeconds, timeoutMs: 3_000 },
  });
  const backChannel = { verify, list, marks: store, log, metrics, bodyMs: settings.UPSTREAM_ANSWER_TIMEOUT };
  app.post('/auth/backchannel-logout', createBackChannelLogout(backChannel).map(whole));
  app.get('/auth/profile', attach, createProfile());
  app.route('/auth/session').get(cookie.peek, status).post(attach, signedIn, sameOrigin, createStaySignedIn(status));
  const listed = createListAnswers({ list, sessions, cookie, revoke, metrics });
  app.route('/auth/sessions').get(attach, signedIn, sameOrigin, listed.show).delete(attach, signedIn, sameOrigin, whole(listed.endOthers));
  app.delete('/auth/sessions/:id', attach, signedIn, sameOrigin, whole(listed.endOne));
  app.get('/auth/events', cookie.peek, signedIn, sameOrigin, streams.stream);
  const connect = {
    ...{ client, upstream, tokens, origin, challenge, log },
    seal: createSeal(secrets, 'connect state'),
    pending: createPending<Connecting>({
      ...{ store, origin, name: 'connect_', sameSite: 'lax', lifetimeMs: 600_000 },
      seal: createSeal(secrets, 'connect'),
    }),
  };
  app.get('/auth/connect', attach, createConnectStart(connect));
  app.get('/auth/connect/callback', cookie.attach, whole(createConnectCallback(connect)), createConnectAnew(connect));
  app.use(
    '/auth',
    createEmbedded({ auth0, endFormer, revoke, background, cookie, attachEvery, log, metrics, settings, store, redis: parts.redis }),
  );
  app.all(
    ['/auth/login', '/auth/callback', '/auth/step-up', '/auth/profile', '/auth/connect', '/auth/connect/callback'],
    otherMethod('GET'),
  );
  app.all(['/auth/logout', '/auth/session'], otherMethod('GET, POST'));
  app.all('/auth/sessions', otherMethod('GET, DELETE'));
  app.all('/auth/backchannel-logout', otherMethod('POST'));
  if (parts.front !== undefined) app.use(except(areas, parts.front.handle));
  app.use(failed);
  const upgrades = createUpgrades({ log, metrics, always: flat(headers), front: parts.front?.upgrade });
  const owns = createOwns(ownPaths(settings));
  return {
    app: mountable({
      app,
      owns: (url) => owns(url) || (parts.front !== undefined && !areas.test(url)),
      unanswered: createUnanswered({ arrive, failed }),
    }),
    upgrade: upgrades.upgrade,
    drain() {
      streams.close();
      upgrades.close();
    },
    close: transport.close,
  };
};
