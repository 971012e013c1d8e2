import type { Quota } from './quota.ts';

/** `giveBack` returns the place of a request that was never sent; once bytes have left it must not be called. */
export type Verdict = Admitted | Refused;

/** A place, and how long it was waited for. */
export interface Admitted {
  readonly admitted: true;
  readonly quota: Quota;
  readonly waitedMs: number;
  readonly giveBack: () => void;
}

/** No place for this one, and when there could be one. */
export interface Refused {
  readonly admitted: false;
  readonly by: 'user' | 'tenant';
  readonly retryAfterSeconds: number;
  readonly quota: Quota;
}
