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
// Here a count is one look-up, and prom-client is told when somebody asks.
const keyOf = <T extends string>(names: readonly T[], labels: Labels<T>): string => {
  let key = '';
  for (const name of names) key += `${labels[name]}\n`;
  return key;
};

/** Makes a counter in the registry. */
export const createTally = <T extends string>(registry: Registry, name: string, help: string, names: readonly T[]): Tally<T> => {
  const counts = new Map<string, { readonly labels: Labels<T>; value: number }>();
  const counter: Counter<T> = new Counter({
    ...{ name, help, labelNames: names, registers: [registry] },
    collect() {
      for (const each of counts.values()) {
        counter.inc(each.labels, each.value);
        each.value = 0;
      }
    },
  });
  return {
    inc(labels, by = 1) {
      const key = keyOf(names, labels);
      const known = counts.get(key);
      if (known === undefined) counts.set(key, { labels, value: by });
      else known.value += by;
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
  const all = new Map<string, { readonly labels: string; readonly counts: number[]; sum: number; count: number }>();
  return {
    observe(labels, seconds) {
      const key = keyOf(names, labels);
      let series = all.get(key);
      if (series === undefined) {
        const text = names.map((each) => `${each}=${quoted(labels[each])}`).join(',');
        all.set(key, (series = { labels: text, counts: bounds.map(() => 0), sum: 0, count: 0 }));
      }
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
      for (const { labels, counts, sum, count } of all.values()) {
        let below = 0;
        for (const [i, bound] of bounds.entries()) lines.push(`${name}_bucket{${labels},le="${bound}"} ${(below += counts[i] ?? 0)}`);
        lines.push(`${name}_bucket{${labels},le="+Inf"} ${count}`, `${name}_sum{${labels}} ${sum}`, `${name}_count{${labels}} ${count}`);
      }
      return `${lines.join('\n')}\n`;
    },
  };
};
