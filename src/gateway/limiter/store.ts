import type { BucketName } from '../../../config/plans.ts';
import type { ScriptPipeline } from '../redis/scripts.ts';

/** What a user could spend now, by bucket; a closed or overdrawn bucket is below zero. */
export type Levels = Readonly<Record<BucketName, number>>;

/** Who asks, for what, how far before or behind others of the same turn, and for how long it can wait. */
export interface Ask {
  readonly user: string;
  readonly bucket: BucketName;
  /** Turns this request goes before (negative) or behind (positive) its fair place. */
  readonly offset: number;
  readonly maxWaitMs: number;
}

/** A place in the queue: the user's token is set aside, the tenant's is not yet taken. */
export interface QueueTicket {
  readonly ask: Ask;
  readonly id: string;
  /** The virtual time at which this request is due (start-time fair queueing). */
  readonly start: number;
  /** On the store's clock, ms: after this the place is lost. */
  readonly leaveAt: number;
}

/**
 * Taken now, a place in the queue until `waitMs` from now, or refused with the wait (ms) after which
 * one request could go; `level` is what is left of the user's bucket.
 */
export type Decision =
  | { readonly kind: 'taken'; readonly level: number }
  | {
      readonly kind: 'wait';
      readonly waitMs: number;
      readonly ticket: QueueTicket;
      readonly level: number;
    }
  | {
      readonly kind: 'refused';
      readonly by: 'user' | 'tenant';
      readonly retryMs: number;
      readonly level: number;
    };

/** What the API's answers tell of its buckets; see feedback.ts for how they are read. */
export type UpstreamSignal =
  /** 429 for the whole tenant: all gateways slow down. */
  | { readonly kind: 'tenant-limited'; readonly bucket: BucketName; readonly retryMs: number }
  /** Less is left for the tenant than we alone could have spent: others use it too. */
  | { readonly kind: 'tenant-low'; readonly bucket: BucketName; readonly remaining: number }
  /** 429 for this user only: their bucket is closed until then. */
  | {
      readonly kind: 'user-limited';
      readonly bucket: BucketName;
      readonly user: string;
      readonly retryMs: number;
    }
  /** The user spent elsewhere as well. */
  | {
      readonly kind: 'user-low';
      readonly bucket: BucketName;
      readonly user: string;
      readonly remaining: number;
    }
  /** The API may have counted this many requests only now, from a bucket that was full until then: what filled ours since they were let in did not fill the API's. */
  | {
      readonly kind: 'user-late';
      readonly bucket: BucketName;
      readonly user: string;
      readonly underWay: number;
    };

/**
 * The count of what has been spent, and the queue of those who wait. Each call decides at once and
 * whole. Kept in Redis for all gateways (redis-store.ts) or in this process (memory-store.ts): same
 * rules, same tests.
 */
export interface LimiterStore {
  /** Takes one token of the user and one of the tenant, or a place in the queue, or neither; in a pipeline rejects with Skipped when it was not needed. */
  ask(ask: Ask, pipeline?: ScriptPipeline): Promise<Decision>;
  /** Asks again with a place in the queue, when its time has come. */
  claim(ticket: QueueTicket): Promise<Decision>;
  /** Gives the place up, and the user's token back. */
  cancel(ticket: QueueTicket): Promise<void>;
  /** Gives both tokens back: the request was never sent. */
  refund(user: string, bucket: BucketName): Promise<void>;
  adjust(signal: UpstreamSignal): Promise<void>;
  /** Takes over what was known of a user elsewhere; the lower of its own level and this one holds. */
  seed(user: string, bucket: BucketName, level: number): Promise<void>;
  peek(user: string): Promise<Levels>;
}
