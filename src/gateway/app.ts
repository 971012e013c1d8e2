import express, { type RequestHandler } from 'express';
import { createConnectAnew, createConnectCallback } from './connect/finish.ts';
import { createConnectStart } from './connect/start.ts';
import { createEmbedded } from './embedded/routes.ts';
import { createErrorHandler } from './http/error-handler.ts';
import { createArrive } from './http/arrive.ts';
import { tracked } from './http/background.ts';
import { answeredWithin } from './http/deadline.ts';
import { createHealth } from './http/health.ts';
import { createOwns, mountable, type Mountable } from './http/mountable.ts';
import { otherMethod } from './http/other-method.ts';
import { areasOf, ownPaths } from './http/own-paths.ts';
import type { TrustsProxy } from './http/request-id.ts';
import { createSecurityHeaders, flat } from './http/security-headers.ts';
import { createUnanswered } from './http/unanswered.ts';
import { createUpgrades, type Upgrades } from './http/upgrades.ts';
import { createWellKnown } from './http/well-known.ts';
import { createBeginAnew } from './login/begin-anew.ts';
import { createCallback } from './login/callback.ts';
import { popupScript } from './login/popup.ts';
import { createLoginStart } from './login/start.ts';
import { createStepUpStart } from './login/step-up.ts';
import { createBackChannelLogout } from './logout/back-channel.ts';
import { createLogout } from './logout/logout.ts';
import { createProfile, createStaySignedIn, signedIn } from './session/status.ts';
import { createUserSessionsRoutes } from './session/user-sessions-routes.ts';
import { createParts } from './parts.ts';
import type { AppParts } from './parts.ts';

const except =
  (away: RegExp, handler: RequestHandler): RequestHandler =>
  (req, res, next) =>
    away.test(req.url) ? next() : handler(req, res, next);

/** Puts the gateway together: every route, in the order a request meets them. */
export const createApp = (
  given: AppParts,
): { app: Mountable; upgrade: Upgrades['upgrade']; drain: () => void; close: () => void } => {
  const { settings, auth0, store, background, log, metrics, front } = given;

  const {
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
  } = createParts(given);

  const app = express();
  app.disable('x-powered-by').disable('etag').set('query parser', 'simple');
  if (settings.TRUST_PROXY !== undefined) app.set('trust proxy', settings.TRUST_PROXY);
  // The public origin decides whether the browser came over https, not the last hop: behind a proxy that hop is plain, and a header could lie.
  Object.defineProperty(app.request, 'secure', { get: () => https });

  const arrive = createArrive({ log, metrics, trusts: app.get('trust proxy fn') as TrustsProxy });
  app.use(arrive);
  // What comes from here writes its whole head at once, refusals too: a flood of them should cost next to nothing.
  const whole = (handler: RequestHandler): RequestHandler => tracked(background, handler);
  const byMethod = (handler: RequestHandler): RequestHandler => {
    const change = whole(handler);
    return (req, res, next) => (req.method === 'GET' ? handler : change)(req, res, next);
  };
  const failed = createErrorHandler({ log, metrics, headers: flat(headers) });
  app.use(publicPath, byMethod(account), failed);
  if (accountAtRoot !== undefined) app.all('/me/{*path}', byMethod(accountAtRoot), failed);
  app.use(createSecurityHeaders(headers));
  app.use(createHealth(given.ready));
  if (settings.WELL_KNOWN !== undefined) app.use(createWellKnown(origin, settings.WELL_KNOWN));

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
  app.get(
    '/auth/step-up',
    attach,
    createStepUpStart({ authorize, transactions, origin, loginScope, knownScopes, ...stepUp }),
  );
  app.get('/auth/popup.js', (_req, res) => void res.type('js').send(popupScript));
  const logout = whole(createLogout({ auth0, sessions, cookie, revoke, origin, log, metrics }));
  app.route('/auth/logout').get(attachEvery, logout).post(attachEvery, logout);
  const backChannel = {
    verify,
    list,
    replayGuard: store,
    log,
    metrics,
    bodyMs: settings.UPSTREAM_ANSWER_TIMEOUT,
  };
  app.post('/auth/backchannel-logout', createBackChannelLogout(backChannel).map(whole));
  app.get('/auth/profile', attach, createProfile());
  app
    .route('/auth/session')
    .get(cookie.peek, status)
    .post(attach, signedIn, sameOrigin, createStaySignedIn(status));
  const listed = createUserSessionsRoutes({ list, sessions, cookie, revoke, metrics });
  app
    .route('/auth/sessions')
    .get(attach, signedIn, sameOrigin, listed.show)
    .delete(attach, signedIn, sameOrigin, whole(listed.endOthers));
  app.delete('/auth/sessions/:id', attach, signedIn, sameOrigin, whole(listed.endOne));
  app.get('/auth/events', cookie.peek, signedIn, sameOrigin, streams.stream);
  app.get('/auth/connect', attach, createConnectStart(connect));
  app.get(
    '/auth/connect/callback',
    cookie.attach,
    whole(createConnectCallback(connect)),
    createConnectAnew(connect),
  );
  app.use(
    '/auth',
    createEmbedded({
      auth0,
      endFormer,
      revoke,
      background,
      cookie,
      attachEvery,
      log,
      metrics,
      settings,
      store,
      redis: given.redis,
    }),
  );
  app.all(
    [
      '/auth/login',
      '/auth/callback',
      '/auth/step-up',
      '/auth/profile',
      '/auth/connect',
      '/auth/connect/callback',
    ],
    otherMethod('GET'),
  );
  app.all(['/auth/logout', '/auth/session'], otherMethod('GET, POST'));
  app.all('/auth/sessions', otherMethod('GET, DELETE'));
  app.all('/auth/backchannel-logout', otherMethod('POST'));
  const areas = areasOf(settings);
  if (front !== undefined) app.use(except(areas, front.handle));
  app.use(failed);
  const upgrades = createUpgrades({
    log,
    metrics,
    always: flat(headers),
    areas,
    front: front?.upgrade,
  });
  const owns = createOwns(ownPaths(settings));
  return {
    app: mountable({
      app,
      owns: (url) => owns(url) || (front !== undefined && !areas.test(url)),
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
