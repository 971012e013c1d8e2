import type { Connection } from '../http/dispatcher.ts';

/** A connection to the API: `open` when it is there, `fresh` when it was made for the request that has it. */
export interface Line {
  readonly connection: Connection;
  open: boolean;
  fresh: boolean;
}

/** Connections for one request each at a time. */
export interface Lines {
  /** Gives a line that is free to whoever asked first. */
  take(taken: (line: Line) => void): void;
  /** Takes a line back; `broken` when it never came to be open and is not to be waited for. */
  giveBack(line: Line, broken: boolean): void;
  close(): void;
}

/** Holds at most `bound` lines; the one used last is given first, so that the others grow old and close. */
export const createLines = (connect: () => Connection, bound: number): Lines => {
  const all = new Set<Line>();
  const free: Line[] = [];
  const waiting: ((line: Line) => void)[] = [];

  const make = (): Line => {
    const line: Line = { connection: connect(), open: false, fresh: true };
    line.connection.on('connect', () => {
      line.open = line.fresh = true;
    });
    line.connection.on('disconnect', () => {
      line.open = false;
    });
    all.add(line);
    return line;
  };
  const drop = (line: Line): void => {
    all.delete(line);
    // What it still holds has failed already, in our words.
    line.connection.destroy().catch(() => undefined);
  };

  return {
    take(taken) {
      const line = free.pop() ?? (all.size < bound ? make() : undefined);
      if (line === undefined) {
        waiting.push(taken);
        return;
      }
      line.fresh = false;
      taken(line);
    },
    giveBack(line, broken) {
      if (broken) drop(line);
      else free.push(line);
      const next = waiting.shift();
      if (next !== undefined) this.take(next);
    },
    close() {
      free.length = 0;
      for (const line of [...all]) drop(line);
    },
  };
};
