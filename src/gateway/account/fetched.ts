import type { Reservation } from '../limiter/queue.ts';
import type { Read } from './response.ts';

/** How to ask for a place in the budget: `again` behind first reads; not `patient`: only a place that is free. `place`: a first read's, asked for already. */
export interface Manner {
  readonly again: boolean;
  readonly patient: boolean;
  readonly place?: Reservation | undefined;
  /** What has been kept by now, for one who had to wait. */
  readonly atHand?: () => Promise<Fetched | undefined>;
}

/** How a read asks the API. */
export type Fetch = (signal: AbortSignal, how: Manner) => Promise<Fetched>;

/** An answer of the API and the headers that go with this request's place in the budget. */
export interface Fetched {
  readonly read: Read;
  readonly extra: Readonly<Record<string, string>>;
  /** Not from the API, but out of what was kept. */
  readonly kept?: boolean;
}
