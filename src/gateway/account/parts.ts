import type { Failure } from '../http/errors.ts';
import type { CostClass } from './operations.ts';

/** What this room must know of a signed-in session. */
export interface Caller {
  /** Names the session in maps of this process; never logged. */
  readonly key: string;
  /** Names the user in buckets and kept answers: a keyed hash. */
  readonly user: string;
}

/** A token fit for one request, or why there is none. */
export type FreshToken =
  | {
      readonly kind: 'usable';
      /** The `Authorization` header, and the DPoP proof where tokens are bound, for this method and URL (RFC 9449 section 4.2). */
      headers(method: string, url: string): Promise<Record<string, string>>;
      readonly scope: readonly string[];
    }
  | { readonly kind: 'step_up'; readonly reason: string; readonly scope?: readonly string[] }
  | { readonly kind: 'ended' }
  | { readonly kind: 'passing'; readonly retryAfterSeconds: number };

/** Where tokens come from. */
export interface Tokens<C extends Caller> {
  /** The scopes this session may use now without asking for more; known without a call. */
  scopes(caller: C): readonly string[];
  freshToken(caller: C): Promise<FreshToken>;
  /** Told when the API answered 401 to a token of this session: that token is not handed out again, and a DPoP nonce is learned. */
  refused(caller: C, answer: { readonly headers: Headers }): Promise<void> | void;
}

/** Response headers by lower-case name. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** The user's own share of the tenant's limits. */
export type Quota = Readonly<
  Record<CostClass, { readonly limit: number; readonly remaining: number; readonly resetSeconds: number; readonly windowSeconds: number }>
>;

/** A place in the budget, or when to come back. */
export type Verdict =
  | { readonly admitted: true; readonly quota: Quota; giveBack(): void }
  | { readonly admitted: false; readonly by: 'user' | 'tenant'; readonly retryAfterSeconds: number; readonly quota: Quota };

/** What is asked for before a request may go to the API. */
export interface Wish {
  readonly user: string;
  readonly cost: CostClass;
  readonly priority: 'verify' | 'write' | 'first' | 'refetch';
  readonly signal: AbortSignal;
}

/** The tenant's budget as this room uses it. */
export interface Budget {
  take(wish: Wish): Promise<Verdict>;
  /** Told every answer's status and headers, so that the budget follows what the API says of itself. */
  feedback(answer: { readonly user: string; readonly cost: CostClass; readonly status: number; readonly headers: Headers }): void;
  /** `RateLimit` and `RateLimit-Policy` for the user's own numbers (draft-ietf-httpapi-ratelimit-headers). */
  headers(quota: Quota, cost: CostClass): Readonly<Record<string, string>>;
}

/** Makes the refusal that sends the user to confirm who they are. */
export type Challenge<C extends Caller> = (wish: {
  readonly session: C;
  readonly scope: readonly string[];
  readonly reason: string;
  readonly returnTo?: string;
  readonly maxAge?: number;
}) => Failure;
