import { createPrivateKey, hash } from 'node:crypto';
import { importPKCS8 } from 'jose';
import * as oidc from 'openid-client';
import { Failure } from '../http/errors.ts';
import { currentRequestId } from '../http/request-id.ts';
import { readRetryAfter } from '../http/retry-after.ts';
import type { Auth0, Auth0Options, KeyPair } from './auth0.ts';
import { createTenantClock } from './clock.ts';
import { createCallEndpoint } from './endpoints.ts';
import {
  commonGrant,
  fullGrant,
  interpretRefreshFailure,
  OAuthError,
  readChallenge,
  type Grant,
} from './grant.ts';
import {
  clockToleranceSeconds,
  createIdTokens,
  createTenantKeys,
  refreshedIdToken,
} from './id-token.ts';
import { createSend, withDeadline } from './send.ts';

const retryDiscoveryMs = 1_000;
const keysTimeoutMs = 3_000;
const pkcs8 = { type: 'pkcs8', format: 'pem' } as const;

/**
 * Makes the client of the tenant over openid-client; discovery happens at first use, so the gateway
 * starts while Auth0 is away.
 */
export const createAuth0 = (options: Auth0Options): Auth0 => {
  const { domain, clientId, clientSecret, signingKey, signingAlg, callback } = options;
  const { pushed, requestObjects, answerTimeoutMs, exchangeTimeoutMs } = options;
  const issuer = `${domain}/`;
  const audience = `${domain}/me/`;
  const privateKey =
    signingKey === undefined
      ? undefined
      : importPKCS8(createPrivateKey(signingKey).export(pkcs8).toString(), signingAlg);

  const clock = createTenantClock(options.clockDiffers ?? (() => undefined));
  const metadata = () => ({
    [oidc.clockTolerance]: clockToleranceSeconds,
    // Assertions and proofs are made in the tenant's time: they are valid for a minute, and clocks
    // may differ by more.
    [oidc.clockSkew]: clock.skewSeconds(),
    ...(clientSecret === undefined ? {} : { client_secret: clientSecret }),
  });
  const authentication = async (): Promise<oidc.ClientAuth> => {
    const key = await privateKey;
    return key === undefined ? oidc.ClientSecretPost(clientSecret) : oidc.PrivateKeyJwt(key);
  };
  const configured = async (
    server: oidc.ServerMetadata,
    send: oidc.CustomFetch = createSend(clock),
  ): Promise<oidc.Configuration> => {
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
      if (performance.now() - failedAt < retryDiscoveryMs) {
        throw new Failure('upstream_unreachable', { headers: { 'Retry-After': '1' } });
      }
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
    issuer,
    clientId,
    algorithms: options.idTokenAlgorithms,
    skewSeconds: clock.skewSeconds,
    keys: createTenantKeys({
      metadata: async () => ({ ...(await configuration()).serverMetadata() }),
      timeoutMs: Math.min(keysTimeoutMs, answerTimeoutMs),
    }),
  });
  // openid-client could check signatures too, but each of its configurations fetches the keys anew,
  // and after a token was spent it is too late to find that they cannot be had. These are kept.
  const verified = async (tokens: Parameters<typeof fullGrant>[0]): Promise<Grant> => {
    const grant = fullGrant(tokens);
    await verifyIdToken(grant.idToken);
    return grant;
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
        // RFC 7636 section 4.2. By Web Crypto, as the library does it, this digest alone would be a
        // twentieth of the cost of a login.
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
        return push
          ? oidc.buildAuthorizationUrlWithPAR(config, parameters)
          : oidc.buildAuthorizationUrl(config, parameters);
      });
      // Auth0 reads it at /authorize itself, also beside a pushed or signed request (UNCONFIRMED
      // for those two).
      const id = currentRequestId();
      if (id !== undefined) url.searchParams.set('correlation_id', id);
      return url;
    },
    async finishLogin(callbackUrl, { state, nonce, verifier, maxAge }, dpop) {
      const config = await configuration();
      const checks: oidc.AuthorizationCodeGrantChecks = {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: verifier,
        idTokenExpected: true,
      };
      if (maxAge !== undefined) checks.maxAge = maxAge;
      const bound = dpopOption(config, dpop);
      return verified(
        await ask(() => oidc.authorizationCodeGrant(config, callbackUrl, checks, undefined, bound)),
      );
    },
    async refresh(token, { scope } = {}, dpop) {
      try {
        const parameters = scope === undefined ? {} : { audience, scope: scope.join(' ') };
        // One deadline for everything, discovery and a second attempt with a DPoP nonce included.
        const tokens = await withDeadline(exchangeTimeoutMs, async (signal) => {
          const server = (await configuration()).serverMetadata();
          const config = await configured(server, createSend(clock, { deadline: signal }));
          config.timeout = 0;
          return ask(() =>
            oidc.refreshTokenGrant(config, token, parameters, dpopOption(config, dpop)),
          );
        });
        const idToken = await refreshedIdToken(verifyIdToken, tokens.id_token);
        return { kind: 'renewed', grant: { ...commonGrant(tokens), ...idToken } };
      } catch (failure) {
        return interpretRefreshFailure(failure);
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
      const server = (await configuration()).serverMetadata();
      const config = await configured(server, createSend(clock, { nested, forwardedFor }));
      const bound = dpopOption(config, dpop);
      return verified(await ask(() => oidc.genericGrantRequest(config, type, parameters, bound)));
    },
    callEndpoint: createCallEndpoint({
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

// Turns everything openid-client can throw into the two kinds of failure the gateway knows.
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
    if (cause instanceof oidc.AuthorizationResponseError)
      throw new OAuthError(cause.error, { cause });
    if (cause instanceof oidc.WWWAuthenticateChallengeError) throw await readChallenge(cause);
    if (cause instanceof oidc.ClientError && cause.code !== 'OAUTH_TIMEOUT' && !unreachable(cause))
      throw new OAuthError(cause.code ?? 'invalid_response', { cause });
    throw new Failure('upstream_unreachable', { cause });
  }
};

const unreachable = (failure: oidc.ClientError): boolean =>
  failure.cause instanceof Response && failure.cause.status >= 500;
