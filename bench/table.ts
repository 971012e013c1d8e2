/** One table of results, as it is written down and as it is kept. */
export interface Table {
  readonly title: string;
  /** What was measured, how long, on what; and what a reader must not conclude. */
  readonly about: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

/** What one benchmark found. */
export interface Findings {
  readonly ranAt: string;
  readonly quick: boolean;
  readonly node: string;
  readonly cpus: number;
  readonly seconds: number;
  readonly tables: readonly Table[];
}

/** A benchmark: a short form, and the whole. */
export type Bench = (options: {
  quick: boolean;
  say: (line: string) => void;
}) => Promise<readonly Table[]>;

const head =
  '# Benchmarks\n\nWritten by `npm run bench`. Compare what stands in one table: it was measured side by side, in one run, on one machine.\n';

/** The page of results with these findings in place of what it said of the same benchmarks before. */
export function pageWith(page: string, findings: Readonly<Record<string, Findings>>): string {
  const sections = new Map<string, string>();
  for (const text of page.split(/^(?=## )/m)) {
    const [, name] = /^## (.+)\n/.exec(text) ?? [];
    if (name !== undefined) sections.set(name, text.trim());
  }
  for (const [name, { ranAt, quick, node, cpus, seconds, tables }] of Object.entries(findings)) {
    const form = quick ? 'the quick form, ' : '';
    const facts = `## ${name}\n\n${ranAt}, ${form}${Math.round(seconds)} s, Node ${node}, ${cpus} cores.\n`;
    sections.set(name, [facts, ...tables.map(markdown)].join('\n').trim());
  }
  return `${[head.trim(), ...sections.values()].join('\n\n')}\n`;
}

/** One table as Markdown. */
export function markdown({ title, about, columns, rows }: Table): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
  return [
    `### ${title}\n`,
    `${about}\n`,
    line(columns),
    line(columns.map(() => '---')),
    ...rows.map(line),
    '',
  ].join('\n');
}
