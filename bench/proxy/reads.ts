import type { Table } from '../table.ts';
import { doubts, judge, type Finding } from './judge.ts';
import type { Round } from './measure.ts';
import { against, of, takeTurns, type Pace, type Rounds, type Turn } from './rounds.ts';
import type { Arrangement, Scene } from './scene.ts';
import { path } from './scene.ts';

/** The names by which the arrangements are told apart. */
export const names = {
  bare: 'bare Node proxy',
  ours: 'this gateway',
  built: 'this gateway, built (dist/)',
  usual: 'the usual way',
  eoc: 'express-openid-connect',
  apache: 'Apache mod_auth_openidc',
} as const;

const two = (value: number): string => value.toFixed(2);
const turn = ({ name, port, pids, cookies }: Arrangement, job: Partial<Turn['job']> = {}): Turn => ({
  name,
  pids,
  job: { port, path, cookies, unique: true, ...job },
});
const roundsOf = (found: Rounds, name: string): readonly Round[] => found.get(name) ?? [];
const sum = (rounds: readonly Round[], figure: (one: Round) => number): number => rounds.reduce((all, one) => all + figure(one), 0);

/** Errors of a round: what was not answered well, and what the upstream did not see as often, or not with a token, as it was answered. */
const wrong = (found: Rounds, name: string): number => {
  const rounds = roundsOf(found, name);
  const proxied = sum(rounds, ({ upstream, good }) => Math.abs(upstream - good));
  const bearers = name === names.bare ? 0 : sum(rounds, ({ upstream, withToken }) => upstream - withToken);
  return sum(rounds, ({ failed }) => failed) + proxied + bearers;
};

/** Reads that really go to the upstream, by all arrangements at 32 connections. */
export const proxiedReads = async (
  scene: Scene,
  running: readonly Arrangement[],
  pace: Pace,
): Promise<{ findings: Finding[]; table: Table }> => {
  const found = await takeTurns(
    scene,
    running.map((each) => turn(each)),
    pace,
  );
  const { bare, ours, usual } = names;
  const cpu = (one: Round): number => one.cpu;
  const perSecond = (one: Round): number => one.perSecond;
  const unsure = (throughput: boolean, ...of: string[]): string[] => of.flatMap((name) => doubts(roundsOf(found, name), throughput, name));
  const costs = `${of(found, ours, cpu).toFixed(0)} us, bare ${of(found, bare, cpu).toFixed(0)} us`;
  const rates = `${of(found, ours, perSecond).toFixed(0)} a second, bare ${of(found, bare, perSecond).toFixed(0)}, the usual way ${of(found, usual, perSecond).toFixed(0)}`;
  const findings = [
    judge(
      'gateway CPU per proxied read / bare',
      against(found, ours, bare, cpu),
      { most: 2.5, stretch: 1.8 },
      costs,
      unsure(false, ours, bare),
    ),
    judge('throughput / bare', against(found, ours, bare, perSecond), { least: 0.4, stretch: 0.55 }, rates, unsure(true, ours, bare)),
    judge(
      'throughput / the usual way',
      against(found, ours, usual, perSecond),
      { least: 2.5, stretch: 4 },
      rates,
      unsure(true, ours, usual),
    ),
    judge(
      'errors of this gateway',
      wrong(found, ours),
      { most: 0, stretch: 0 },
      `over ${sum(roundsOf(found, ours), ({ good }) => good)} reads`,
      [],
    ),
  ];
  const table: Table = {
    title: 'Proxied reads, everybody side by side',
    about: `32 connections, each a person of its own, an address that is new each time, so that every read goes to the upstream; medians of ${pace.rounds} alternating rounds of ${pace.seconds} s, ratios to the bare proxy of the same round. Errors: answers other than 200 with the whole body, broken connections, and any difference between the answers and what the upstream saw, or saw without an access token. Busy: shares of one core; others: whatever else ran on the machine, or was given to another one.`,
    columns: [
      'arrangement',
      'throughput / bare',
      'CPU per request, us',
      'CPU / bare',
      'p50 / bare',
      'p99 / bare',
      'errors',
      'busy: measured',
      'load',
      'upstream',
      'Redis',
      'others',
    ],
    rows: running.map(({ name }) => [
      name,
      two(against(found, name, bare, perSecond)),
      of(found, name, cpu).toFixed(0),
      two(against(found, name, bare, cpu)),
      two(against(found, name, bare, ({ p50 }) => p50)),
      two(against(found, name, bare, ({ p99 }) => p99)),
      wrong(found, name),
      ...(['measured', 'load', 'upstream', 'redis'] as const).map((side) => two(of(found, name, ({ shares }) => shares[side]))),
      two(of(found, name, ({ others }) => others)),
    ]),
  };
  return { findings, table };
};

/** The same reads when nobody else asks, and at a steady pace that every arrangement can hold. */
export const latencies = async (
  scene: Scene,
  running: readonly Arrangement[],
  pace: Pace,
  say: (line: string) => void,
): Promise<Finding[]> => {
  const { bare, ours } = names;
  const pair = running.filter(({ name }) => name === bare || name === ours);
  const shown = (found: Rounds, figure: (one: Round) => number): string =>
    `${of(found, ours, figure).toFixed(3)} ms, bare ${of(found, bare, figure).toFixed(3)} ms`;
  const unsure = (found: Rounds): string[] => [bare, ours].flatMap((name) => doubts(roundsOf(found, name), false, name));
  const p50 = (one: Round): number => one.p50;
  const p99 = (one: Round): number => one.p99;
  say('one connection');
  const alone = await takeTurns(
    scene,
    pair.map((each) => turn(each, { connections: 1 })),
    pace,
  );
  say('five hundred a second');
  const paced = await takeTurns(
    scene,
    pair.map((each) => turn(each, { perSecond: 500 })),
    pace,
  );
  const failed = [alone, paced].reduce((all, found) => all + wrong(found, ours), 0);
  return [
    judge('one connection, p50 / bare', against(alone, ours, bare, p50), { most: 2.5, stretch: 2 }, shown(alone, p50), unsure(alone)),
    judge('paced 500/s, p50 / bare', against(paced, ours, bare, p50), { most: 2.3, stretch: 1.7 }, shown(paced, p50), unsure(paced)),
    judge('paced 500/s, p99 / bare', against(paced, ours, bare, p99), { most: 4, stretch: 2 }, shown(paced, p99), unsure(paced)),
    judge('errors of this gateway in these', failed, { most: 0, stretch: 0 }, '', []),
  ];
};
