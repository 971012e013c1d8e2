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

/** A benchmark: a short form for CI, and the whole. */
export type Bench = (options: { quick: boolean; say: (line: string) => void }) => Promise<readonly Table[]>;

/** All findings as one page of Markdown. */
export function pageOf(findings: Readonly<Record<string, Findings>>): string {
  const sections = Object.entries(findings).map(([name, { ranAt, quick, node, cpus, seconds, tables }]) => {
    const head = `## ${name}\n\n${ranAt}, ${quick ? 'the quick form, ' : ''}${Math.round(seconds)} s, Node ${node}, ${cpus} cores.\n`;
    return [head, ...tables.map(markdown)].join('\n');
  });
  return `# Benchmarks\n\nWritten by \`npm run bench\`. Compare what stands in one table: it was measured side by side, in one run, on one machine.\n\n${sections.join('\n')}`;
}

/** One table as Markdown. */
export function markdown({ title, about, columns, rows }: Table): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
  return [`### ${title}\n`, `${about}\n`, line(columns), line(columns.map(() => '---')), ...rows.map(line), ''].join('\n');
}
