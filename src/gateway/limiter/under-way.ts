import type { BucketName } from '../../../config/plans.ts';

/** How many requests of a user's bucket were under way when one of them ended, itself included, and for how long it was. */
export interface EndedRequest {
  readonly count: number;
  readonly ms: number;
}

/** The requests of this gateway that were let in and have not been answered. */
export interface UnderWay {
  /** Counts one more, and returns how to end it: undefined when it had ended before. */
  begin(user: string, bucket: BucketName): () => EndedRequest | undefined;
}

/** Counts them on the given clock (ms). */
export function trackUnderWay(now: () => number): UnderWay {
  const counts = new Map<string, number>();
  return {
    begin(user, bucket) {
      const name = `${bucket} ${user}`;
      const began = now();
      let open = true;
      counts.set(name, (counts.get(name) ?? 0) + 1);
      return () => {
        if (!open) return undefined;
        open = false;
        const count = counts.get(name) ?? 1;
        if (count > 1) counts.set(name, count - 1);
        else counts.delete(name);
        return { count, ms: now() - began };
      };
    },
  };
}
