import { Failure } from '../http/errors.ts';
import { currentRequestId } from '../http/request-id.ts';
import { readRetryAfter } from '../http/retry-after.ts';
import type { Auth0, CallEndpoint, KeyPair } from './auth0.ts';
import { OAuthError, type Grant } from './grant.ts';

/**
 * Makes the calls; `credentials` are the members that prove who this gateway is: a secret, or a new
 * assertion for private_key_jwt.
 */
export const createCallEndpoint = (options: {
  domain: string;
  answerTimeoutMs: number;
  credentials: () => Promise<Record<string, string>>;
}): CallEndpoint => {
  const { domain, answerTimeoutMs, credentials } = options;
  return async (path, { members, bearer }) => {
    const post = members !== undefined || bearer === undefined;
    const headers: Record<string, string> = { accept: 'application/json' };
    if (post) headers['content-type'] = 'application/json';
    const id = currentRequestId();
    if (id !== undefined) headers['x-correlation-id'] = id;
    if (bearer !== undefined) headers['authorization'] = `Bearer ${bearer}`;
    const own = bearer === undefined ? await credentials() : {};
    let response: Response;
    let body: unknown;
    try {
      response = await fetch(domain + path, {
        method: post ? 'POST' : 'GET',
        headers,
        body: post ? JSON.stringify({ ...members, ...own }) : null,
        redirect: 'error',
        signal: AbortSignal.timeout(answerTimeoutMs),
      });
      const text = await response.text();
      body = text === '' ? {} : (JSON.parse(text) as unknown);
    } catch (cause) {
      const late = cause instanceof Error && cause.name === 'TimeoutError';
      throw new Failure(late ? 'upstream_timeout' : 'upstream_unreachable', { cause });
    }
    if (response.ok) return body;
    const said = typeof body === 'object' && body !== null ? { ...body } : {};
    const error =
      'error' in said && typeof said.error === 'string' ? said.error : 'invalid_response';
    if (response.status >= 500) {
      const cause = new Error(`status ${response.status}`);
      throw new Failure('upstream_unreachable', { cause });
    }
    const retryAfterSeconds = readRetryAfter((name) => response.headers.get(name));
    throw new OAuthError(error, { status: response.status, body: said, retryAfterSeconds });
  };
};

/** Auth0's endpoints for sign-in without a redirect; each call throws as CallEndpoint does. */
export interface EmbeddedEndpoints {
  /**
   * Begins a passkey ceremony (`/passkey/challenge`, `/passkey/register`); the session it returns
   * is for the server alone.
   */
  passkey(
    step: 'challenge' | 'register',
    members: Members,
  ): Promise<{ authSession: string; publicKey: Members }>;
  /** Returns the factors of a user who must prove a second one (`GET /mfa/authenticators`). */
  authenticators(mfaToken: string): Promise<readonly unknown[]>;
  /** Begins the enrolment of a first factor (`POST /mfa/associate`). */
  associate(mfaToken: string, members: Members): Promise<Members>;
  /** Sends a code or a push (`POST /mfa/challenge`). */
  challenge(mfaToken: string, members: Members): Promise<Members>;
  /**
   * Asks the token endpoint for a grant, its ID token verified; `address` is the end user's, for
   * Auth0's attack protection.
   */
  grant(
    type: string,
    members: Members,
    by: { dpop?: KeyPair | undefined; address?: string },
  ): Promise<EmbeddedGrant>;
}

/** A grant, and the recovery code that takes the place of one just used. */
export interface EmbeddedGrant {
  readonly grant: Grant;
  readonly recoveryCode?: string | undefined;
}

type Members = Readonly<Record<string, unknown>>;

/**
 * Makes the calls of embedded login from the two that carry them: grants, and JSON calls with
 * client authentication or an MFA token as bearer.
 */
export const createEmbeddedEndpoints = ({
  grant,
  callEndpoint,
}: Pick<Auth0, 'grant' | 'callEndpoint'>): EmbeddedEndpoints => ({
  async passkey(step, members) {
    const begun = membersOf(await callEndpoint(`/passkey/${step}`, { members }));
    const { auth_session: authSession, authn_params_public_key: publicKey } = begun;
    if (typeof authSession !== 'string') throw new OAuthError('invalid_response', {});
    return { authSession, publicKey: membersOf(publicKey) };
  },
  async authenticators(mfaToken) {
    const answer = await callEndpoint('/mfa/authenticators', { bearer: mfaToken });
    return Array.isArray(answer) ? (answer as unknown[]) : [];
  },
  associate: async (mfaToken, members) =>
    membersOf(await callEndpoint('/mfa/associate', { members, bearer: mfaToken })),
  challenge: async (mfaToken, members) =>
    membersOf(
      await callEndpoint('/mfa/challenge', { members: { ...members, mfa_token: mfaToken } }),
    ),
  async grant(type, members, { dpop, address }) {
    const parameters: Record<string, string> = {};
    const nested: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(members)) {
      if (typeof value === 'string') parameters[name] = value;
      else if (value !== undefined) nested[name] = value;
    }
    const some = Object.keys(nested).length > 0;
    const made = await grant(type, parameters, {
      dpop,
      forwardedFor: address,
      ...(some && { nested }),
    });
    return { grant: made, recoveryCode: made.recoveryCode };
  },
});

const membersOf = (value: unknown): Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : {};
