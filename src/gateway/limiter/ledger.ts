import type { CostClass } from '../../../config/plans.ts';
import type { ScriptPipeline } from '../redis/client.ts';

/** What a user could spend now, per class; a closed or overdrawn bucket is below zero. */
export type Levels = Readonly<Record<CostClass, number>>;

/** Who asks, for what, how far before or behind others of the same turn, and for how long it can wait. */
export interface Ask {
  readonly user: string;
  readonly cost: CostClass;
  /** Turns this request goes before (negative) or behind (positive) its fair place. */
  readonly offset: number;
  readonly maxWaitMs: number;
}

/** A place in the line: the user's token is set aside, the tenant's is not yet taken. */
export interface Ticket {
  readonly ask: Ask;
  readonly id: string;
  /** The virtual time at which this request is due (start-time fair queueing). */
  readonly start: number;
  /** On the ledger's clock, ms: after this the place is lost. */
  readonly leaveAt: number;
}

/** In now, a place in the line until `waitMs` from now, or refused with the wait (ms) after which one request could go. */
export type Answer =
  | { readonly kind: 'taken'; readonly levels: Levels; readonly start: number }
  | { readonly kind: 'wait'; readonly waitMs: number; readonly ticket: Ticket; readonly levels: Levels }
  | { readonly kind: 'refused'; readonly by: 'user' | 'tenant'; readonly retryMs: number; readonly levels: Levels };

/** What the API's answers teach; see feedback.ts for how they are read. */
export type Lesson =
  /** 429 for the whole tenant: all gateways slow down. */
  | { readonly kind: 'tenant-limited'; readonly cost: CostClass; readonly retryMs: number }
  /** Less is left for the tenant than we alone could have spent: others use it too. */
  | { readonly kind: 'tenant-low'; readonly cost: CostClass; readonly remaining: number }
  /** 429 for this user only: their bucket is closed until then. */
  | { readonly kind: 'user-limited'; readonly cost: CostClass; readonly user: string; readonly retryMs: number }
  /** The user spent elsewhere as well. */
  | { readonly kind: 'user-low'; readonly cost: CostClass; readonly user: string; readonly remaining: number };

/**
 * The count of what has been spent, and the line of those who wait. Each call decides at once and whole.
 * Kept in Redis for all gateways (redis-ledger.ts) or in this process (memory-ledger.ts): same rules, same tests.
 */
export interface Ledger {
  /** Takes one token of the user and one of the tenant, or a place in the line, or neither; in a chain rejects with Skipped when it was not needed. */
  ask(ask: Ask, chain?: ScriptPipeline): Promise<Answer>;
  /** Asks again with a place in the line, when its time has come. */
  claim(ticket: Ticket): Promise<Answer>;
  /** Gives the place up, and the user's token back. */
  leave(ticket: Ticket): Promise<void>;
  /** Gives both tokens back: the request was never sent. */
  giveBack(user: string, cost: CostClass): Promise<void>;
  learn(lesson: Lesson): Promise<void>;
  /** Is told what was known of a user elsewhere; the lower of its own levels and these hold. */
  remember(user: string, levels: Levels): Promise<void>;
  peek(user: string): Promise<Levels>;
}
