import type { Request } from 'express';
import type { Failure } from '../http/errors.ts';
import type { ScriptPipeline } from '../redis/client.ts';
import type { Seal } from '../session/seal.ts';
import type { FreshToken } from '../tokens/fresh.ts';
import type { IdempotencyStore } from './idempotency-store.ts';
import type { KeptStore } from './kept.ts';

/** What this room must know of a signed-in session. */
export interface Caller {
  /** Names the session in maps of this process; never logged. */
  readonly key: string;
  /** Names the user in buckets and kept answers: a keyed hash. */
  readonly user: string;
}

/** Who a request comes from. */
export interface Callers<C extends Caller> {
  /** The signed-in caller; undefined when there is none. */
  find(req: Request): Promise<C | undefined>;
  /** Where only one session can be meant: its key, and how to find it as the first call of a chain that goes no further without it. */
  one(req: Request): { readonly key: string; find(chain: ScriptPipeline): Promise<C | undefined> } | undefined;
  /** Why the request counts as another site's; undefined for the page's own. */
  foreign(req: Request): string | undefined;
}

/** Where answers and outcomes of writes are kept, for how long an answer is given again (0: never), and the session's own secret they are sealed with. */
export interface Keep<C extends Caller> {
  readonly store: KeptStore;
  readonly changes: IdempotencyStore;
  readonly seal: Seal;
  readonly forMs: number;
  readonly secretOf: (caller: C) => Buffer | undefined;
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
