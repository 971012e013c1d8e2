/** How evenly what could be let in was divided among those who asked, over the last minute. */
export interface Fairness {
  asked(user: string): void;
  admitted(user: string): void;
  /** Jain's index, from 1/n (one got everything) to 1 (everybody got the same part of what is fairly theirs); 1 while nobody asks. */
  index(): number;
}

interface Slice {
  readonly number: number;
  readonly users: Map<string, { asked: number; admitted: number }>;
}

const sliceMs = 10_000;
const slices = 6;

/**
 * Jain's index over what each user got of their max-min fair share (the smaller demands whole, the rest divided equally): somebody who asks fifty
 * times as much and is held back for it does not count as treated unfairly. Remembers at most `bound` users per ten seconds, and sums up only when asked.
 */
export function createFairness(now: () => number, bound = 10_000): Fairness {
  let kept: Slice[] = [];

  function current(): Slice {
    const number = Math.floor(now() / sliceMs);
    const last = kept.at(-1);
    if (last?.number === number) return last;
    kept = kept.filter((slice) => slice.number > number - slices);
    const slice: Slice = { number, users: new Map() };
    kept.push(slice);
    return slice;
  }

  function count(user: string, what: 'asked' | 'admitted'): void {
    const { users } = current();
    const known = users.get(user);
    if (known) known[what] += 1;
    else if (users.size < bound) users.set(user, { asked: 0, admitted: 0, [what]: 1 });
  }

  return {
    asked: (user) => {
      count(user, 'asked');
    },
    admitted: (user) => {
      count(user, 'admitted');
    },
    index() {
      current();
      const sums = new Map<string, { asked: number; admitted: number }>();
      for (const { users } of kept) {
        for (const [user, { asked, admitted }] of users) {
          const sum = sums.get(user) ?? { asked: 0, admitted: 0 };
          sums.set(user, { asked: sum.asked + asked, admitted: sum.admitted + admitted });
        }
      }
      // Whoever asked before the minute began and was let in within it asked no less than they got.
      const all = [...sums.values()].map(({ asked, admitted }) => ({
        asked: Math.max(asked, admitted),
        admitted,
      }));
      all.sort((a, b) => a.asked - b.asked);
      let left = all.reduce((sum, { admitted }) => sum + admitted, 0);
      if (left === 0) return 1;
      let sum = 0;
      let squares = 0;
      all.forEach(({ asked, admitted }, place) => {
        const share = Math.min(asked, left / (all.length - place));
        left -= share;
        const part = share === 0 ? 1 : admitted / share;
        sum += part;
        squares += part * part;
      });
      return (sum * sum) / (all.length * squares);
    },
  };
}
