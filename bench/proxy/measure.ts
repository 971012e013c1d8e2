import { type ChildProcess } from 'node:child_process';
import { type Table } from '../table.ts';
import { type Job, type Outcome } from './load.ts';
import { answerLength, ask, canPin, cores, cpuOf, machineOf, type Scene, treeOf } from './scene.ts';

/** The processes around what is measured. */
export interface Around {
  readonly load: ChildProcess;
  readonly upstream: ChildProcess;
  readonly redis: ChildProcess;
}

/** What one round over one arrangement gave; shares are of one core. */
export interface Round extends Outcome {
  readonly perSecond: number;
  /** Microseconds of processor time of the measured processes per good answer. */
  readonly cpu: number;
  readonly shares: {
    readonly measured: number;
    readonly load: number;
    readonly upstream: number;
    readonly redis: number;
  };
  /** Share of a core that was used by nothing of ours, or given to another machine: a neighbour. */
  readonly others: number;
  /** Requests the upstream answered meanwhile, and how many of them came with an access token. */
  readonly upstream: number;
  readonly withToken: number;
  /** Answers that were not good, and connections that broke. */
  readonly failed: number;
}

const countOf = async (upstream: ChildProcess) =>
  (await ask(upstream, {})) as { answered: number; withToken: number };

/** Loads one arrangement once, and says what it cost whom. */
export const measure = async (
  around: Around,
  pids: readonly number[],
  job: Job,
): Promise<Round> => {
  const measured = pids.flatMap(treeOf);
  const sides = {
    measured,
    load: [around.load.pid ?? 0],
    upstream: [around.upstream.pid ?? 0],
    redis: [around.redis.pid ?? 0],
  };
  const look = (): Record<keyof typeof sides, number> & { busy: number; stolen: number } => ({
    measured: cpuOf(sides.measured),
    load: cpuOf(sides.load),
    upstream: cpuOf(sides.upstream),
    redis: cpuOf(sides.redis),
    ...machineOf(),
  });
  const seen = await countOf(around.upstream);
  const before = look();
  const began = performance.now();
  const answer = (await ask(around.load, job)) as { outcome?: Outcome; error?: string };
  const seconds = (performance.now() - began) / 1_000;
  const after = look();
  const { outcome } = answer;
  if (outcome === undefined) throw new Error(`the load failed: ${answer.error ?? 'no answer'}`);
  const share = (side: keyof typeof before): number => (after[side] - before[side]) / seconds;
  const shares = {
    measured: share('measured'),
    load: share('load'),
    upstream: share('upstream'),
    redis: share('redis'),
  };
  const ours = shares.measured + shares.load + shares.upstream + shares.redis;
  const seenAfter = await countOf(around.upstream);
  const all = Object.values(outcome.statuses).reduce((sum, count) => sum + count, 0);
  return {
    ...outcome,
    perSecond: outcome.good / outcome.seconds,
    cpu: ((after.measured - before.measured) * 1e6) / Math.max(1, outcome.good),
    shares,
    others: Math.max(0, share('busy') + share('stolen') - ours),
    upstream: seenAfter.answered - seen.answered,
    withToken: seenAfter.withToken - seen.withToken,
    failed: all - outcome.good + outcome.broken,
  };
};

/** The middle one. */
export const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;

/** One that takes its turn: a name, the processes measured, and what is asked of them. */
export interface Turn {
  readonly name: string;
  readonly pids: readonly number[];
  readonly job: Pick<Job, 'port' | 'path' | 'cookies'> & Partial<Job>;
}

/**
 * How often and how long everybody takes a turn. One more before that warms up and is not counted: it ends after so many requests, since what the engine has
 * made of the code depends on how often it ran, and at latest after `warm` seconds.
 */
export interface Pace {
  readonly rounds: number;
  readonly seconds: number;
  readonly warm: number;
}

/** Everybody's rounds, by name. */
export type Rounds = ReadonlyMap<string, readonly Round[]>;

/** Requests after which the code of everybody here has been compiled for good. */
export const warmRequests = 15_000;

/** Lets everybody take turns, so that what the machine does meanwhile befalls them all. */
export const takeTurns = async (
  scene: Scene,
  turns: readonly Turn[],
  { rounds, seconds, warm }: Pace,
): Promise<Rounds> => {
  const found = new Map<string, Round[]>(turns.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round += 1) {
    for (const { name, pids, job } of turns) {
      const whole = {
        connections: 32,
        length: answerLength,
        ...job,
        seconds,
        ...(round === 0 && { seconds: warm, atMost: warmRequests }),
      };
      const one = await measure(scene.around, pids, whole);
      if (round > 0) found.get(name)?.push(one);
    }
  }
  return found;
};

/** The median of a figure over the rounds of one. */
export const of = (found: Rounds, name: string, figure: (one: Round) => number): number =>
  median((found.get(name) ?? []).map(figure));

/** The median over the rounds of one's figure divided by another's in the same round. */
export const against = (
  found: Rounds,
  name: string,
  other: string,
  figure: (one: Round) => number,
): number => {
  const yard = found.get(other) ?? [];
  return median((found.get(name) ?? []).map((one, i) => figure(one) / figure(yard[i] ?? one)));
};

/** One row of the table of targets. */
export type Finding = Table['rows'][number];

/** The columns of such rows. */
export const columns = [
  'what',
  'found',
  'pass',
  'stretch',
  'reached',
  'how',
  'not to be trusted because',
] as const;

/** What a figure must be at most, or at least, to pass, and what would be better still. */
export type Target =
  | { readonly most: number; readonly stretch?: number }
  | { readonly least: number; readonly stretch?: number };

const written = (value: number): string =>
  Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2);

/** A row: the figure beside its target. */
export const judge = (
  what: string,
  value: number,
  target: Target,
  how: string,
  doubts: readonly string[],
): Finding => {
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
    found.push(
      about(
        `core ${cores.around} (load, upstream, Redis) was busy to ${(load + upstream + redis).toFixed(2)}`,
      ),
    );
  if (others > disturbing)
    found.push(about(`something else on the machine used ${others.toFixed(2)} of a core`));
  if (late > 3) found.push(about(`the pacer came ${late.toFixed(1)} ms late`));
  return found;
};
