import type { Job } from './load.ts';
import { measure, median, type Round } from './measure.ts';
import { answerLength, type Scene } from './scene.ts';

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
export const takeTurns = async (scene: Scene, turns: readonly Turn[], { rounds, seconds, warm }: Pace): Promise<Rounds> => {
  const found = new Map<string, Round[]>(turns.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round += 1) {
    for (const { name, pids, job } of turns) {
      const whole = { connections: 32, length: answerLength, ...job, seconds, ...(round === 0 && { seconds: warm, atMost: warmRequests }) };
      const one = await measure(scene.around, pids, whole);
      if (round > 0) found.get(name)?.push(one);
    }
  }
  return found;
};

/** The median of a figure over the rounds of one. */
export const of = (found: Rounds, name: string, figure: (one: Round) => number): number => median((found.get(name) ?? []).map(figure));

/** The median over the rounds of one's figure divided by another's in the same round. */
export const against = (found: Rounds, name: string, other: string, figure: (one: Round) => number): number => {
  const yard = found.get(other) ?? [];
  return median((found.get(name) ?? []).map((one, i) => figure(one) / figure(yard[i] ?? one)));
};
