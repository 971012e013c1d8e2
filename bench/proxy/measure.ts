import type { ChildProcess } from 'node:child_process';
import type { Job, Outcome } from './load.ts';
import { ask, cpuOf, machineOf, treeOf } from './processes.ts';

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
  readonly shares: { readonly measured: number; readonly load: number; readonly upstream: number; readonly redis: number };
  /** Share of a core that was used by nothing of ours, or given to another machine: a neighbour. */
  readonly others: number;
  /** Requests the upstream answered meanwhile, and how many of them came with an access token. */
  readonly upstream: number;
  readonly withToken: number;
  /** Answers that were not good, and connections that broke. */
  readonly failed: number;
}

const countOf = async (upstream: ChildProcess) => (await ask(upstream, {})) as { answered: number; withToken: number };

/** Loads one arrangement once, and says what it cost whom. */
export const measure = async (around: Around, pids: readonly number[], job: Job): Promise<Round> => {
  const measured = pids.flatMap(treeOf);
  const sides = { measured, load: [around.load.pid ?? 0], upstream: [around.upstream.pid ?? 0], redis: [around.redis.pid ?? 0] };
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
  const shares = { measured: share('measured'), load: share('load'), upstream: share('upstream'), redis: share('redis') };
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
export const median = (numbers: readonly number[]): number => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;
