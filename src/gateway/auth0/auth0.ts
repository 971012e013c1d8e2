import type { webcrypto } from 'node:crypto';
import type { Direct } from './direct.ts';
import type { Grant, Refreshed } from './grant.ts';

/** The tenant, in the words of this gateway. Whatever cannot be reached throws Failure `upstream_unreachable`; what Auth0 refuses throws OAuthError. */
export interface Auth0 {
  /** The issuer: the domain's origin and a slash. */
  readonly issuer: string;
  /** The audience of the My Account API on the same domain. */
  readonly audience: string;
  /** Seconds to add to this machine's time for the tenant's, as its last answer told: what is signed for it is signed in its time. */
  skewSeconds(): number;
  /** Where to send the browser for the code flow (PKCE S256, state, nonce; pushed and signed as configured). */
  startLogin(ask: LoginRequest): Promise<URL>;
  /** Exchanges the code of a callback; checks state, nonce, issuer and ID token (OpenID Connect Core 3.1.3.7). */
  finishLogin(
    answer: URL,
    expected: { state: string; nonce: string; verifier: string; maxAge?: number | undefined },
    dpop?: KeyPair,
  ): Promise<Grant>;
  /** Spends a refresh token once. */
  refresh(token: string, ask?: { scope?: readonly string[] | undefined }, dpop?: KeyPair): Promise<Refreshed>;
  /** Revokes a refresh token (RFC 7009); an unknown one is success. */
  revoke(token: string): Promise<void>;
  /** Where RP-initiated logout begins; `/v2/logout` where discovery names no end-session endpoint. */
  logoutUrl(hints: { idToken?: string | undefined; sid?: string | undefined; returnTo: string }): Promise<URL>;
  /** Any other grant at the token endpoint, with client authentication; `nested` members make it a JSON request, as passkeys need it. */
  grant(type: string, parameters: Record<string, string>, options?: GrantOptions): Promise<Grant>;
  /** A JSON call of the endpoints for embedded login (`/passkey/*`, `/mfa/*`), with client authentication or, where given, a bearer. */
  direct: Direct;
  /** The discovery document, fetched once and again only after a failure. */
  metadata(): Promise<Readonly<Record<string, unknown>>>;
}

/** What a login asks for, beside what it always asks for. */
export interface LoginRequest {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly scope: readonly string[];
  readonly extra?: Readonly<Record<string, string>>;
}

/** What a grant may carry beside its parameters: a key to bind to, members that are no text, the end user's address for attack protection. */
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
  /** The signature algorithms of ID tokens that are taken. */
  readonly idTokenAlgorithms: readonly string[];
  readonly answerTimeoutMs: number;
  /** Until a refresh is answered: longer than anybody waits for it, since its token is spent. */
  readonly exchangeTimeoutMs: number;
  /** Told when the tenant's clock and this machine's differ so much that an operator should know: by how many seconds the tenant's is ahead. */
  readonly clockDiffers?: (seconds: number) => void;
}
