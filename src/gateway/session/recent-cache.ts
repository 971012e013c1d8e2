/**
 * What was met lately, by name: at most so many, and none for longer than twice the time given
 * after it was last asked for.
 */
export interface RecentCache<T> {
  get(name: string): T | undefined;
  set(name: string, value: T): void;
}

/**
 * Keeps two generations: what is asked for moves to the young one, and every `ms` (or `bound`
 * names) the old one goes. Nothing is kept by an idle process.
 */
export const createRecentCache = <T>(bound: number, ms: number): RecentCache<T> => {
  let young = new Map<string, T>();
  let old = new Map<string, T>();
  let timer: NodeJS.Timeout | undefined;
  const turn = (): void => {
    clearTimeout(timer);
    old = young;
    young = new Map();
    timer = old.size === 0 ? undefined : setTimeout(turn, ms).unref();
  };
  const set = (name: string, value: T): void => {
    if (young.size >= bound) turn();
    young.set(name, value);
    timer ??= setTimeout(turn, ms).unref();
  };
  return {
    get(name) {
      const known = young.get(name);
      if (known !== undefined) return known;
      const older = old.get(name);
      if (older !== undefined) set(name, older);
      return older;
    },
    set,
  };
};
