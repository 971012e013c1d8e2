import { Router, type RequestHandler } from 'express';
import { createAttempts } from './attempts.ts';
import { createSignIn, type EmbeddedParts } from './sign-in.ts';
import { createMfaLogin } from './mfa.ts';
import { createPasskeyLogin } from './passkey.ts';
import { createPasswordLogin } from './password.ts';
import type { PendingSignIn } from './pending.ts';
import { createEmbeddedEndpoints } from '../auth0/endpoints.ts';
import type { Settings } from '../../../config/settings.ts';
import { tracked, type Background } from '../http/background.ts';
import { readJson } from '../http/parsed-body.ts';
import { otherMethod } from '../http/other-method.ts';
import { createSameOrigin } from '../http/same-origin.ts';
import type { Redis } from '../redis/client.ts';
import { createPending } from '../session/pending.ts';
import { createSeal } from '../session/seal.ts';
import type { Store } from '../session/store.ts';

/**
 * Makes the routes of sign-in without a redirect, under `/auth`: those that are switched on, and
 * MFA as soon as one of them is.
 */
export const createEmbedded = (
  parts: Omit<EmbeddedParts, 'embedded' | 'pendings' | 'scope' | 'dpop'> & {
    background: Background;
    settings: Settings;
    store: Store;
    attachEvery: readonly RequestHandler[];
    redis: Redis | undefined;
  },
): Router => {
  const { background, settings, store, redis, auth0, attachEvery } = parts;
  const router = Router();
  const realm = settings.AUTH0_PASSWORD_REALM;
  if (realm === undefined && !settings.AUTH0_PASSKEYS) return router;

  const origin = settings.APP_BASE_URL;
  const embedded = createEmbeddedEndpoints(auth0);
  const seal = createSeal(settings.AUTH0_SECRET, 'embedded sign-in');
  // Auth0's own answers live no longer: an mfa_token ten minutes, a passkey challenge five.
  const pendings = createPending<PendingSignIn>({
    store,
    seal,
    name: 'sign_in',
    origin,
    sameSite: 'strict',
    lifetimeMs: 600_000,
  });
  const attempts = createAttempts({ secret: settings.AUTH0_SECRET[0] ?? '', redis });
  const signIn = createSignIn({
    ...parts,
    embedded,
    pendings,
    scope: settings.AUTH0_SCOPE,
    dpop: settings.AUTH0_DPOP,
  });

  const guard: RequestHandler[] = [createSameOrigin({ origin }), noStore];
  const post = (path: string, handler: RequestHandler): void => {
    router
      .route(path)
      .post(
        ...guard,
        ...readJson(settings.UPSTREAM_ANSWER_TIMEOUT),
        ...attachEvery,
        tracked(background, handler),
      )
      .all(otherMethod('POST'));
  };
  if (realm !== undefined) post('/password', createPasswordLogin({ attempts, signIn, realm }));
  if (settings.AUTH0_PASSKEYS) {
    const passkey = createPasskeyLogin({ embedded, pendings, attempts, signIn });
    post('/passkey/challenge', passkey.challenge);
    post('/passkey/register', passkey.register);
    post('/passkey/verify', passkey.verify);
  }
  const mfa = createMfaLogin({ embedded, pendings, attempts, signIn });
  router
    .route('/mfa/authenticators')
    .get(...guard, mfa.authenticators)
    .all(otherMethod('GET'));
  post('/mfa/challenge', mfa.challenge);
  post('/mfa/associate', mfa.associate);
  post('/mfa/verify', mfa.verify);
  return router;
};

const noStore: RequestHandler = (_req, res, next) => {
  res.set('Cache-Control', 'no-store');
  next();
};
