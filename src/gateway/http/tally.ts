import { Counter, type Registry } from 'prom-client';

/** Labels of one count, by name. */
export type Labels<T extends string> = Readonly<Record<T, string | number>>;

/** Counts by labels. */
export interface Tally<T extends string> {
  inc(labels: Labels<T>, by?: number): void;
}

/** Observes durations by labels, in seconds. */
export interface Timing<T extends string> {
  observe(labels: Labels<T>, seconds: number): void;
}

// prom-client sorts, joins and checks the labels of every single count. A request has six of them.
// Here a count is one look-up for each label, and prom-client is told when somebody asks.
type Branch<S> = Map<string | number | undefined, Branch<S> | S>;

// The texts of labels are the same few, which have been hashed before; a text made of them would be hashed anew each time.
const createSeries = <T extends string, S extends object>(names: readonly T[], make: (labels: Labels<T>) => S) => {
  const root: Branch<S> = new Map();
  const all: S[] = [];
  const last = names.at(-1);
  return {
    all,
    find(labels: Labels<T>): S {
      let branch = root;
      for (const name of names) {
        if (name === last) break;
        let next = branch.get(labels[name]) as Branch<S> | undefined;
        if (next === undefined) branch.set(labels[name], (next = new Map()));
        branch = next;
      }
      const leaf = last && labels[last];
      const known = branch.get(leaf) as S | undefined;
      if (known !== undefined) return known;
      const series = make(labels);
      branch.set(leaf, series);
      all.push(series);
      return series;
    },
  };
};

/** Makes a counter in the registry. */
export const createTally = <T extends string>(registry: Registry, name: string, help: string, names: readonly T[]): Tally<T> => {
  const counts = createSeries(names, (labels) => ({ labels, value: 0 }));
  const counter: Counter<T> = new Counter({
    ...{ name, help, labelNames: names, registers: [registry] },
    collect() {
      for (const each of counts.all) {
        counter.inc(each.labels, each.value);
        each.value = 0;
      }
    },
  });
  return {
    inc(labels, by = 1) {
      counts.find(labels).value += by;
    },
  };
};

/** A histogram, and its lines of the text exposition format 0.0.4. */
export interface TextTiming<T extends string> extends Timing<T> {
  text(): string;
}

const quoted = (value: string | number): string => `"${String(value).replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))}"`;

/** Makes a histogram that writes its own lines, since prom-client's takes no counts made elsewhere. `bounds` are seconds, rising. */
export const createTiming = <T extends string>(
  name: string,
  help: string,
  names: readonly T[],
  bounds: readonly number[],
): TextTiming<T> => {
  const timings = createSeries(names, (labels) => {
    const text = names.map((each) => `${each}=${quoted(labels[each])}`).join(',');
    return { labels: text, counts: bounds.map(() => 0), sum: 0, count: 0 };
  });
  return {
    observe(labels, seconds) {
      const series = timings.find(labels);
      series.sum += seconds;
      series.count += 1;
      for (let i = 0; i < bounds.length; i += 1) {
        if (seconds > (bounds[i] ?? 0)) continue;
        series.counts[i] = (series.counts[i] ?? 0) + 1;
        break;
      }
    },
    text() {
      const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`];
      for (const { labels, counts, sum, count } of timings.all) {
        let below = 0;
        for (const [i, bound] of bounds.entries()) lines.push(`${name}_bucket{${labels},le="${bound}"} ${(below += counts[i] ?? 0)}`);
        lines.push(`${name}_bucket{${labels},le="+Inf"} ${count}`, `${name}_sum{${labels}} ${sum}`, `${name}_count{${labels}} ${count}`);
      }
      return `${lines.join('\n')}\n`;
    },
  };
};
