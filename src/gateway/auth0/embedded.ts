import { createPrivateKey, randomUUID } from 'node:crypto';
import { createRemoteJWKSet, customFetch, decodeJwt, errors, exportJWK, jwtVerify, SignJWT, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import { Failure } from '../http/errors.ts';
import type { Auth0, Auth0Options, KeyPair } from './auth0.ts';
import { OAuthError, type Grant } from './grant.ts';

/** Auth0's endpoints for sign-in without a redirect; each call throws OAuthError for a refusal, Failure `upstream_unreachable` or `upstream_timeout` otherwise. */
export interface EmbeddedAuth0 {
  /** Begins a passkey ceremony (`/passkey/challenge`, `/passkey/register`); the session it answers is for the server alone. */
  passkey(step: 'challenge' | 'register', members: Members): Promise<{ authSession: string; publicKey: Members }>;
  /** What a user who must prove a second factor has (`GET /mfa/authenticators`). */
  authenticators(mfaToken: string): Promise<readonly unknown[]>;
  /** Begins the enrolment of a first factor (`POST /mfa/associate`). */
  associate(mfaToken: string, members: Members): Promise<Members>;
  /** Sends a code or a push (`POST /mfa/challenge`). */
  challenge(mfaToken: string, members: Members): Promise<Members>;
  /** A grant as JSON at the token endpoint, its ID token verified; `address` is the end user's, for Auth0's attack protection. */
  grant(type: string, members: Members, by: { dpop?: KeyPair | undefined; address?: string }): Promise<EmbeddedGrant>;
}

/** A grant, and the recovery code that takes the place of one just used. */
export interface EmbeddedGrant {
  readonly grant: Grant;
  readonly recoveryCode?: string | undefined;
}

type Members = Readonly<Record<string, unknown>>;

// As at the callback: clocks may disagree by minutes.
const clockToleranceSeconds = 330;
const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** Makes the calls of embedded login, which openid-client does not know: JSON bodies, nested members, MFA tokens as bearers. */
export const createEmbeddedAuth0 = (
  options: Pick<Auth0Options, 'domain' | 'clientId' | 'clientSecret' | 'signingKey' | 'signingAlg' | 'answerTimeoutMs'>,
  auth0: Pick<Auth0, 'issuer' | 'metadata'>,
): EmbeddedAuth0 => {
  const { domain, clientId, clientSecret, signingKey, signingAlg, answerTimeoutMs } = options;
  const privateKey = signingKey === undefined ? undefined : createPrivateKey(signingKey);
  let keys: JWTVerifyGetKey | undefined;

  // The audience of an assertion is the issuer (draft-ietf-oauth-rfc7523bis): a token endpoint's address may be another server's.
  const credentials = async (): Promise<Members> => {
    if (privateKey === undefined) return { client_id: clientId, client_secret: clientSecret };
    const assertion = await new SignJWT()
      .setProtectedHeader({ alg: signingAlg })
      .setIssuer(clientId)
      .setSubject(clientId)
      .setAudience(auth0.issuer)
      .setJti(randomUUID())
      .setIssuedAt()
      .setExpirationTime('1m')
      .sign(privateKey);
    return { client_id: clientId, client_assertion_type: assertionType, client_assertion: assertion };
  };

  const send = async (path: string, body: Members | undefined, headers: Record<string, string> = {}): Promise<[unknown, Headers]> => {
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${domain}${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { accept: 'application/json', ...(body && { 'content-type': 'application/json' }), ...headers },
        ...(body && { body: JSON.stringify(body) }),
        redirect: 'error',
        signal: AbortSignal.timeout(answerTimeoutMs),
      });
      text = await response.text();
    } catch (cause) {
      const late = cause instanceof Error && cause.name === 'TimeoutError';
      throw new Failure(late ? 'upstream_timeout' : 'upstream_unreachable', { cause });
    }
    if (response.status >= 500) throw new Failure('upstream_unreachable');
    const answer = readJson(text);
    if (response.ok && answer !== undefined) return [answer, response.headers];
    throw refusal(response, membersOf(answer));
  };

  const proof = async (pair: KeyPair, nonce: string | undefined): Promise<string> =>
    new SignJWT({ htm: 'POST', htu: `${domain}/oauth/token`, ...(nonce !== undefined && { nonce }) })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: await exportJWK(pair.publicKey) })
      .setJti(randomUUID())
      .setIssuedAt()
      .sign(pair.privateKey);

  const verified = async (idToken: string): Promise<JWTPayload & { sub: string }> => {
    const keyFor: JWTVerifyGetKey = async (header, token) => {
      keys ??= createRemoteJWKSet(new URL(String((await auth0.metadata())['jwks_uri'])), {
        timeoutDuration: answerTimeoutMs,
        [customFetch]: fetch,
      });
      return keys(header, token);
    };
    try {
      const { payload } = await jwtVerify(idToken, keyFor, {
        issuer: auth0.issuer,
        audience: clientId,
        algorithms: ['RS256'],
        clockTolerance: clockToleranceSeconds,
        requiredClaims: ['sub', 'iat', 'exp'],
      });
      return { ...payload, sub: payload.sub ?? '' };
    } catch (cause) {
      if (cause instanceof Failure) throw cause;
      if (cause instanceof errors.JOSEError && !(cause instanceof errors.JWKSTimeout)) throw new OAuthError('invalid_response', { cause });
      throw new Failure('upstream_unreachable', { cause });
    }
  };

  const tokenRequest = async (body: Members, by: { dpop?: KeyPair | undefined; address?: string }, nonce?: string): Promise<Members> => {
    const headers = {
      ...(by.address !== undefined && { 'auth0-forwarded-for': by.address }),
      ...(by.dpop !== undefined && { dpop: await proof(by.dpop, nonce) }),
    };
    try {
      return membersOf((await send('/oauth/token', { ...(await credentials()), ...body }, headers))[0]);
    } catch (cause) {
      // RFC 9449 section 8: a nonce demanded is used once; demanded again, the request has failed.
      const demanded = cause instanceof OAuthError && cause.error === 'use_dpop_nonce' ? cause.body['dpop_nonce'] : undefined;
      if (typeof demanded === 'string' && nonce === undefined) return tokenRequest(body, by, demanded);
      throw cause;
    }
  };
  const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

  return {
    async passkey(step, members) {
      const [answer] = await send(`/passkey/${step}`, { ...(await credentials()), ...members });
      const { auth_session: authSession, authn_params_public_key: publicKey } = membersOf(answer);
      if (typeof authSession !== 'string') throw new OAuthError('invalid_response', {});
      return { authSession, publicKey: membersOf(publicKey) };
    },
    async authenticators(mfaToken) {
      const [answer] = await send('/mfa/authenticators', undefined, bearer(mfaToken));
      return Array.isArray(answer) ? (answer as unknown[]) : [];
    },
    associate: async (mfaToken, members) => membersOf((await send('/mfa/associate', members, bearer(mfaToken)))[0]),
    challenge: async (mfaToken, members) =>
      membersOf((await send('/mfa/challenge', { ...(await credentials()), ...members, mfa_token: mfaToken }))[0]),
    async grant(type, members, by) {
      const tokens = await tokenRequest({ ...members, grant_type: type }, by);
      const text = (name: string): string | undefined => (typeof tokens[name] === 'string' ? tokens[name] : undefined);
      const [idToken, accessToken] = [text('id_token'), text('access_token')];
      if (idToken === undefined || accessToken === undefined) throw new OAuthError('invalid_response', {});
      const claims = await verified(idToken);
      const inside = readClaims(accessToken);
      const scope = text('scope') ?? (typeof inside['scope'] === 'string' ? inside['scope'] : '');
      const grant: Grant = {
        sub: claims.sub,
        sid: typeof claims['sid'] === 'string' ? claims['sid'] : undefined,
        claims,
        idToken,
        refreshToken: text('refresh_token'),
        accessToken,
        tokenType: text('token_type')?.toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer',
        expiresIn: Number(tokens['expires_in'] ?? 0),
        audience: [inside.aud ?? []].flat(),
        scope: scope.split(' ').filter((each) => each !== ''),
      };
      return { grant, recoveryCode: text('recovery_code') };
    },
  };
};

const membersOf = (value: unknown): Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : {};

const readJson = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
};

const readClaims = (token: string): JWTPayload => {
  try {
    return decodeJwt(token);
  } catch {
    return {};
  }
};

const refusal = ({ status, headers }: Response, answer: Members): OAuthError => {
  const error = typeof answer['error'] === 'string' ? answer['error'] : 'invalid_response';
  const nonce = headers.get('dpop-nonce');
  const seconds = Number(headers.get('retry-after') ?? NaN);
  return new OAuthError(error, {
    status,
    body: { ...answer, ...(nonce !== null && { dpop_nonce: nonce }) },
    retryAfterSeconds: Number.isFinite(seconds) ? seconds : undefined,
  });
};
