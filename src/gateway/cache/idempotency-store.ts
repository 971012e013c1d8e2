/**
 * The changes of a user that were begun, so that a repeat on any gateway is told what became of the first one. The store sees sealed bytes only, and
 * counts time by its own clock.
 */
export interface IdempotencyStore {
  /** Claims a change for the one who is about to send it, or says what is known of the same one. */
  claim(change: Change): Promise<Claim>;
  /** Says that the gateway which claimed it still lives; to be called more often than every `leaseMs`. */
  hold(change: Change, number: number): Promise<void>;
  /** Says what became of it, and for how many milliseconds that is remembered. */
  settle(change: Change, number: number, end: ChangeEnd): Promise<void>;
}

/** A change, and how it is known again. */
export interface Change {
  readonly user: string;
  /** The part of the account that it changes: the first segment of the API's path. */
  readonly area: string;
  readonly name: string;
  /** Whether the client gave the name, which then holds whatever was changed since. */
  readonly explicit: boolean;
  /** Sixteen bytes of a hash of the request: another one under the same name is refused. */
  readonly fingerprint: Buffer;
}

/**
 * `claimed`: go ahead. `busy`: the same one is under way on a gateway that lives. `unknown`: it was begun, and nobody saw its end. `done`: it was
 * made, here is its sealed outcome. `other`: its name belongs to another request. `full`: this user has too many to be remembered.
 */
export type Claim =
  | { readonly kind: 'claimed'; readonly number: number }
  | { readonly kind: 'done'; readonly sealed: Buffer }
  | { readonly kind: 'busy' | 'unknown' | 'other' | 'full' };

/** The end of a change: `forget` when nothing was done, `unknown` when nobody knows, `done` with its sealed outcome. */
export type ChangeEnd =
  | { readonly kind: 'forget' }
  | { readonly kind: 'unknown'; readonly rememberMs: number }
  | { readonly kind: 'done'; readonly rememberMs: number; readonly sealed: Buffer };

/** For how long a gateway that sends a change and says nothing more is believed to live, in milliseconds. */
export const leaseMs = 2_000;

/** How long a change whose end nobody saw is remembered, in milliseconds: one that the client named, and one that was just sent again. */
export const unseenMs = { named: 600_000, unnamed: 30_000 } as const;

/** How many changes of one user are remembered at once. */
export const mostChanges = 512;
