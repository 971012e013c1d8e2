import type { webcrypto } from 'node:crypto';
import type { Grant, RefreshResult } from './grant.ts';

/**
 * The tenant. Every call throws Failure `upstream_unreachable` when it cannot be reached, and
 * OAuthError when it refuses.
 */
export interface Auth0 {
  /** The issuer: the domain's origin and a slash. */
  readonly issuer: string;
  /** The audience of the My Account API on the same domain. */
  readonly audience: string;
  /**
   * Returns the seconds to add to this machine's time for the tenant's, by its last response: what
   * is signed for the tenant is signed in its time.
   */
  skewSeconds(): number;
  /**
   * Returns where to send the browser for the code flow (PKCE S256, state, nonce; pushed and signed
   * as configured).
   */
  startLogin(request: LoginRequest): Promise<URL>;
  /**
   * Exchanges the code of a callback; checks state, nonce, issuer and ID token (OpenID Connect Core
   * 3.1.3.7).
   */
  finishLogin(
    callback: URL,
    expected: { state: string; nonce: string; verifier: string; maxAge?: number | undefined },
    dpop?: KeyPair,
  ): Promise<Grant>;
  /** Spends a refresh token once; never throws. */
  refresh(
    token: string,
    options?: { scope?: readonly string[] | undefined },
    dpop?: KeyPair,
  ): Promise<RefreshResult>;
  /** Revokes a refresh token (RFC 7009); an unknown one is success. */
  revoke(token: string): Promise<void>;
  /**
   * Returns where RP-initiated logout begins; `/v2/logout` where discovery names no end-session
   * endpoint.
   */
  logoutUrl(hints: {
    idToken?: string | undefined;
    sid?: string | undefined;
    returnTo: string;
  }): Promise<URL>;
  /**
   * Asks the token endpoint for any other grant, with client authentication; `nested` members make
   * it a JSON request, as passkeys need it.
   */
  grant(type: string, parameters: Record<string, string>, options?: GrantOptions): Promise<Grant>;
  /**
   * Calls an endpoint for embedded login (`/passkey/*`, `/mfa/*`), with client authentication or,
   * where given, a bearer.
   */
  callEndpoint: CallEndpoint;
  /** Returns the discovery document, fetched once and again only after a failure. */
  metadata(): Promise<Readonly<Record<string, unknown>>>;
}

/**
 * Calls one of Auth0's endpoints for embedded login and returns its JSON; throws OAuthError for a
 * refusal, Failure `upstream_unreachable` or `upstream_timeout` otherwise.
 */
export type CallEndpoint = (path: `/${string}`, call: EndpointCall) => Promise<unknown>;

/** Members make it a POST; a bearer takes the place of client authentication. */
export interface EndpointCall {
  readonly members?: Readonly<Record<string, unknown>> | undefined;
  readonly bearer?: string | undefined;
}

/** What a login asks for, beside what it always asks for. */
export interface LoginRequest {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly scope: readonly string[];
  readonly extra?: Readonly<Record<string, string>>;
}

/**
 * What a grant may carry beside its parameters: a key to bind to, members that are not text, the
 * end user's address for attack protection.
 */
export interface GrantOptions {
  readonly dpop?: KeyPair | undefined;
  readonly nested?: Readonly<Record<string, unknown>> | undefined;
  readonly forwardedFor?: string | undefined;
}

/** A key that tokens are bound to. */
export type KeyPair = webcrypto.CryptoKeyPair;

/** How the tenant is reached and how this gateway proves who it is. */
export interface Auth0Options {
  readonly domain: string;
  readonly clientId: string;
  readonly clientSecret?: string | undefined;
  readonly signingKey?: string | undefined;
  readonly signingAlg: 'RS256' | 'RS384' | 'PS256';
  readonly callback: string;
  readonly pushed: 'auto' | 'on' | 'off';
  readonly requestObjects: boolean;
  /** The signature algorithms of ID tokens that are accepted. */
  readonly idTokenAlgorithms: readonly string[];
  readonly answerTimeoutMs: number;
  /** The deadline of a refresh: longer than any request waits for it, since its token is spent. */
  readonly exchangeTimeoutMs: number;
  /**
   * Called with the seconds the tenant's clock is ahead when it differs from this machine's so much
   * that an operator should know.
   */
  readonly clockDiffers?: (seconds: number) => void;
}
