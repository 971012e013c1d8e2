import type { Table } from '../table.ts';
import { cores, canPin } from './processes.ts';
import type { Round } from './measure.ts';

/** One row of the table of targets. */
export type Finding = Table['rows'][number];

/** The columns of such rows. */
export const columns = ['what', 'found', 'pass', 'stretch', 'reached', 'how', 'not to be trusted because'] as const;

/** What a figure must be at most, or at least, to pass, and what would be better still. */
export type Target = { readonly most: number; readonly stretch?: number } | { readonly least: number; readonly stretch?: number };

const written = (value: number): string => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2));

/** A row: the figure beside its target. */
export const judge = (what: string, value: number, target: Target, how: string, doubts: readonly string[]): Finding => {
  const [sign, pass] = 'most' in target ? ['<=', target.most] : ['>=', target.least];
  const within = (bound: number): boolean => ('most' in target ? value <= bound : value >= bound);
  const reached = Number.isNaN(value)
    ? 'not measured'
    : within(pass)
      ? target.stretch !== undefined && within(target.stretch)
        ? 'stretch'
        : 'yes'
      : 'no';
  const { stretch } = target;
  return [
    what,
    written(value),
    `${sign} ${pass}`,
    stretch === undefined ? '' : `${sign} ${stretch}`,
    reached,
    how,
    [...new Set(doubts)].join('; '),
  ];
};

const full = 0.95;
const disturbing = 0.1;
const most = (rounds: readonly Round[], figure: (one: Round) => number): number => {
  const sorted = rounds.map(figure).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
};

/** Reasons to doubt what was found of one: the other side was busy to the full, a neighbour was at work, or the generator came late. */
export const doubts = (rounds: readonly Round[], throughput: boolean, name = ''): string[] => {
  const about = (reason: string): string => (name === '' ? reason : `${name}: ${reason}`);
  const load = most(rounds, ({ shares }) => shares.load);
  const upstream = most(rounds, ({ shares }) => shares.upstream);
  const redis = most(rounds, ({ shares }) => shares.redis);
  const others = most(rounds, (one) => one.others);
  const late = most(rounds, (one) => one.late);
  const found: string[] = [];
  if (!canPin) found.push('processes share cores here');
  if (load > full) found.push(about('the load side was busy to the full'));
  else if (upstream > full) found.push(about('the upstream was busy to the full'));
  else if (throughput && load + upstream + redis > full)
    found.push(about(`core ${cores.around} (load, upstream, Redis) was busy to ${(load + upstream + redis).toFixed(2)}`));
  if (others > disturbing) found.push(about(`something else on the machine used ${others.toFixed(2)} of a core`));
  if (late > 3) found.push(about(`the pacer came ${late.toFixed(1)} ms late`));
  return found;
};
