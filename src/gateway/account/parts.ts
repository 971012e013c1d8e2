import type { Failure } from '../http/errors.ts';
import type { FreshToken } from '../tokens/fresh.ts';

/** What this room must know of a signed-in session. */
export interface Caller {
  /** Names the session in maps of this process; never logged. */
  readonly key: string;
  /** Names the user in buckets and kept answers: a keyed hash. */
  readonly user: string;
}

/** What a session may do, and its tokens. */
export interface Tokens<C extends Caller> {
  /** Whether Auth0 would not grant this scope at the last step-up: asking again would loop. */
  declined(caller: C, scope: string): boolean;
  /** The scopes this session may use now, without a step-up. Known without a call. */
  scopes(caller: C): readonly string[];
  /** A token good now; one that lacks the scope may be widened on the way. */
  freshToken(caller: C, scope: string): Promise<FreshToken>;
  /** Told when the API answered 401 to a token of this session: that token is not handed out again, or a DPoP nonce is learned. */
  refused(caller: C, answer: { readonly headers: Headers }): void;
}

/** Headers by lower-case name. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** Makes the refusal that sends the user to confirm who they are. */
export type Challenge<C extends Caller> = (demand: {
  readonly session: C;
  readonly scope: readonly string[];
  readonly reason: string;
  readonly returnTo?: string;
  readonly maxAge?: number;
}) => Failure;
