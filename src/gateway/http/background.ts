import type { RequestHandler } from 'express';

/** Work that goes on whether or not a browser still waits for it: a stop waits for what is in here. */
export interface Background {
  /** Keeps a promise until it settles, and gives it back. */
  track<T>(work: Promise<T>): Promise<T>;
  /** Resolves to true when all work has settled, or to false when `withinMs` are over before that. */
  settled(withinMs: number): Promise<boolean>;
}

/** Makes the one register of such work in this process. */
export const createBackground = (): Background => {
  const pending = new Set<Promise<unknown>>();
  return {
    track(work) {
      const forget = (): void => void pending.delete(done);
      const done: Promise<void> = work.then(forget, forget);
      pending.add(done);
      return work;
    },
    async settled(withinMs) {
      const end = performance.now() + withinMs;
      // One piece of work may begin another when it settles: an exchange ends in a revocation.
      while (pending.size > 0) {
        const left = end - performance.now();
        if (left <= 0) return false;
        let timer: NodeJS.Timeout | undefined;
        await Promise.race([
          Promise.all(pending),
          new Promise((resolve) => (timer = setTimeout(resolve, left))),
        ]);
        clearTimeout(timer);
        await new Promise((resolve) => setImmediate(resolve));
      }
      return true;
    },
  };
};

/** A handler whose work a stop waits for even when its browser has left: one that spends a code, a token or a change. */
export const tracked = ({ track }: Background, handler: RequestHandler): RequestHandler =>
  async function trackedHandler(req, res, next) {
    await track(Promise.resolve(handler(req, res, next)));
  };
