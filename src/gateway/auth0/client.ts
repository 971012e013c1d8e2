import { createPrivateKey, hash } from 'node:crypto';
import { importPKCS8 } from 'jose';
import * as oidc from 'openid-client';
import { Failure } from '../http/errors.ts';
import { currentRequestId } from '../http/request-id.ts';
import { readRetryAfter } from '../http/retry-after.ts';
import type { Auth0, Auth0Options, KeyPair } from './auth0.ts';
import { createTenantClock } from './clock.ts';
import { withDeadline } from './deadline.ts';
import { createDirect } from './direct.ts';
import { clockToleranceSeconds, createIdTokens, createTenantKeys, isUnknownKey } from './id-token.ts';
import { OAuthError, sortRefreshFailure, type Grant } from './grant.ts';
import { commonGrant, fullGrant } from './read-grant.ts';
import { createSend } from './send.ts';

const retryDiscoveryMs = 1_000;
const keysTimeoutMs = 3_000;

/** Makes the one door to openid-client; discovery happens at first use, so the gateway starts while Auth0 is away. */
export const createAuth0 = (options: Auth0Options): Auth0 => {
  const { domain, clientId, clientSecret, signingKey, signingAlg, callback, pushed, requestObjects, answerTimeoutMs, exchangeTimeoutMs } =
    options;
  const issuer = `${domain}/`;
  const audience = `${domain}/me/`;
  const privateKey =
    signingKey === undefined
      ? undefined
      : importPKCS8(createPrivateKey(signingKey).export({ type: 'pkcs8', format: 'pem' }).toString(), signingAlg);

  const clock = createTenantClock(options.clockDiffers ?? (() => undefined));
  const metadata = () => ({
    [oidc.clockTolerance]: clockToleranceSeconds,
    // Assertions and proofs are made in the tenant's time: they live a minute, less than clocks may differ.
    [oidc.clockSkew]: clock.skewSeconds(),
    ...(clientSecret === undefined ? {} : { client_secret: clientSecret }),
  });
  const authentication = async (): Promise<oidc.ClientAuth> => {
    const key = await privateKey;
    return key === undefined ? oidc.ClientSecretPost(clientSecret) : oidc.PrivateKeyJwt(key);
  };
  const configured = async (server: oidc.ServerMetadata, send: oidc.CustomFetch = createSend(clock)): Promise<oidc.Configuration> => {
    const config = new oidc.Configuration(server, clientId, metadata(), await authentication());
    if (domain.startsWith('http:')) oidc.allowInsecureRequests(config);
    config.timeout = answerTimeoutMs / 1000;
    config[oidc.customFetch] = send;
    return config;
  };
  const discover = async (): Promise<oidc.ServerMetadata> => {
    const config = await oidc.discovery(new URL(issuer), clientId, metadata(), oidc.None(), {
      timeout: answerTimeoutMs / 1000,
      [oidc.customFetch]: createSend(clock),
      ...(domain.startsWith('http:') ? { execute: [oidc.allowInsecureRequests] } : {}),
    });
    return config.serverMetadata();
  };
  let discovered: Promise<oidc.ServerMetadata> | undefined;
  let made: { readonly skew: number; readonly config: Promise<oidc.Configuration> } | undefined;
  let failedAt = -Infinity;
  const configuration = async (): Promise<oidc.Configuration> => {
    if (discovered === undefined) {
      if (performance.now() - failedAt < retryDiscoveryMs) throw new Failure('upstream_unreachable', { headers: { 'Retry-After': '1' } });
      discovered = discover();
      discovered.catch(() => {
        discovered = undefined;
        failedAt = performance.now();
      });
    }
    const server = await ask(() => discovered ?? discover());
    const skew = clock.skewSeconds();
    if (made?.skew !== skew) made = { skew, config: configured(server) };
    return made.config;
  };

  const dpopOption = (config: oidc.Configuration, pair: KeyPair | undefined): oidc.DPoPOptions =>
    pair === undefined ? {} : { DPoP: oidc.getDPoPHandle(config, pair) };

  const verifyIdToken = createIdTokens({
    ...{ issuer, clientId, algorithms: options.idTokenAlgorithms, skewSeconds: clock.skewSeconds },
    keys: createTenantKeys({
      metadata: async () => ({ ...(await configuration()).serverMetadata() }),
      timeoutMs: Math.min(keysTimeoutMs, answerTimeoutMs),
    }),
  });
  // openid-client checks a signature where that is switched on, with keys that each of its configurations fetches anew: after a token was spent is no
  // time to find that they cannot be had. These are kept.
  const verified = async (tokens: Parameters<typeof fullGrant>[0]): Promise<Grant> => {
    const grant = fullGrant(tokens);
    await verifyIdToken(grant.idToken);
    return grant;
  };
  // A refresh need not bring an ID token. One that cannot be verified for want of keys is not taken, and the spent refresh token's successor is kept.
  const believed = async (idToken: string | undefined): Promise<{ idToken?: string; sub?: string }> => {
    if (idToken === undefined) return {};
    try {
      return { idToken, sub: (await verifyIdToken(idToken)).sub };
    } catch (failure) {
      // A key that is new at the tenant may not be had yet. Anything else is another's token: no user's, so nobody's session goes on with it.
      return failure instanceof Failure || isUnknownKey(failure) ? {} : { sub: '' };
    }
  };

  return {
    issuer,
    audience,
    skewSeconds: clock.skewSeconds,
    async startLogin({ state, nonce, verifier, scope, extra }) {
      const config = await configuration();
      const parameters = new URLSearchParams({
        ...extra,
        redirect_uri: callback,
        scope: scope.join(' '),
        audience,
        // RFC 7636 section 4.2. By Web Crypto, as the library does it, this digest alone would be a twentieth of a login.
        code_challenge: hash('sha256', verifier, 'base64url'),
        code_challenge_method: 'S256',
        state,
        nonce,
      });
      const key = await privateKey;
      const offered = config.serverMetadata().pushed_authorization_request_endpoint !== undefined;
      const push = pushed === 'on' || (pushed === 'auto' && offered);
      const url = await ask(async () => {
        if (requestObjects && key !== undefined) {
          const signed = await oidc.buildAuthorizationUrlWithJAR(config, parameters, key);
          return push ? oidc.buildAuthorizationUrlWithPAR(config, signed.searchParams) : signed;
        }
        return push ? oidc.buildAuthorizationUrlWithPAR(config, parameters) : oidc.buildAuthorizationUrl(config, parameters);
      });
      // Auth0 reads it at /authorize itself, also beside a pushed or signed request (UNCONFIRMED for those two).
      const id = currentRequestId();
      if (id !== undefined) url.searchParams.set('correlation_id', id);
      return url;
    },
    async finishLogin(answer, { state, nonce, verifier, maxAge }, dpop) {
      const config = await configuration();
      const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true };
      const tokens = await ask(() =>
        oidc.authorizationCodeGrant(
          config,
          answer,
          { ...checks, ...(maxAge === undefined ? {} : { maxAge }) },
          undefined,
          dpopOption(config, dpop),
        ),
      );
      return verified(tokens);
    },
    async refresh(token, { scope } = {}, dpop) {
      try {
        const parameters = scope === undefined ? {} : { audience, scope: scope.join(' ') };
        // One deadline for all of it, discovery and a second try with a DPoP nonce included.
        const tokens = await withDeadline(exchangeTimeoutMs, async (signal) => {
          const server = (await configuration()).serverMetadata();
          const config = await configured(server, createSend(clock, { deadline: signal }));
          config.timeout = 0;
          return ask(() => oidc.refreshTokenGrant(config, token, parameters, dpopOption(config, dpop)));
        });
        return { kind: 'renewed', grant: { ...commonGrant(tokens), ...(await believed(tokens.id_token)) } };
      } catch (failure) {
        return sortRefreshFailure(failure);
      }
    },
    async revoke(token) {
      const config = await configuration();
      await ask(() => oidc.tokenRevocation(config, token, { token_type_hint: 'refresh_token' }));
    },
    async logoutUrl({ idToken, sid, returnTo }) {
      const config = await configuration();
      if (config.serverMetadata().end_session_endpoint === undefined) {
        const url = new URL(`${domain}/v2/logout`);
        url.search = new URLSearchParams({ client_id: clientId, returnTo }).toString();
        return url;
      }
      return oidc.buildEndSessionUrl(config, {
        post_logout_redirect_uri: returnTo,
        ...(idToken === undefined ? {} : { id_token_hint: idToken }),
        ...(sid === undefined ? {} : { logout_hint: sid }),
      });
    },
    async grant(type, parameters, { dpop, nested, forwardedFor } = {}) {
      // A configuration for this one request: what is added to it cannot reach another.
      const config = await configured((await configuration()).serverMetadata(), createSend(clock, { nested, forwardedFor }));
      return verified(await ask(() => oidc.genericGrantRequest(config, type, parameters, dpopOption(config, dpop))));
    },
    direct: createDirect({
      domain,
      answerTimeoutMs,
      async credentials() {
        const config = await configuration();
        const body = new URLSearchParams();
        // Typed as void, and a promise where it signs.
        const prove: (...of: Parameters<oidc.ClientAuth>) => unknown = await authentication();
        await prove(config.serverMetadata(), config.clientMetadata(), body, new Headers());
        return { client_id: clientId, ...Object.fromEntries(body) };
      },
    }),
    async metadata() {
      return { ...(await configuration()).serverMetadata() };
    },
  };
};

// Everything openid-client can throw, sorted into the two kinds of failure the rest of the gateway knows.
const ask = async <T>(run: () => Promise<T> | T): Promise<T> => {
  try {
    return await run();
  } catch (cause) {
    if (cause instanceof Failure || cause instanceof OAuthError) throw cause;
    if (cause instanceof oidc.ResponseBodyError) {
      const body = { ...(cause.cause as Record<string, unknown>) };
      throw new OAuthError(cause.error, {
        status: cause.status,
        body,
        retryAfterSeconds: readRetryAfter((name) => cause.response.headers.get(name)),
        cause,
      });
    }
    if (cause instanceof oidc.AuthorizationResponseError) throw new OAuthError(cause.error, { cause });
    if (cause instanceof oidc.WWWAuthenticateChallengeError) throw await challenged(cause);
    if (cause instanceof oidc.ClientError && cause.code !== 'OAUTH_TIMEOUT' && !unreachable(cause))
      throw new OAuthError(cause.code ?? 'invalid_response', { cause });
    throw new Failure('upstream_unreachable', { cause });
  }
};

const unreachable = (failure: oidc.ClientError): boolean => failure.cause instanceof Response && failure.cause.status >= 500;

// A 401 with WWW-Authenticate leaves its body unread; Auth0's `error` stands there.
const challenged = async (cause: oidc.WWWAuthenticateChallengeError): Promise<OAuthError> => {
  const body = (await cause.response.json().catch(() => ({}))) as Record<string, unknown>;
  const error = typeof body['error'] === 'string' ? body['error'] : 'invalid_client';
  return new OAuthError(error, { status: cause.status, body, cause });
};
