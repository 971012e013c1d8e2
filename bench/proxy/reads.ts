import { availableParallelism } from 'node:os';
import { type Table } from '../table.ts';
import { type Outcome } from './load.ts';
import {
  against,
  doubts,
  type Finding,
  judge,
  measure,
  median,
  of,
  type Pace,
  type Round,
  type Rounds,
  takeTurns,
  type Turn,
  warmRequests,
} from './measure.ts';
import { answerLength, type Arrangement, ask, cores, cpuOf, path, type Scene } from './scene.ts';
import { seedOurs } from './tenant.ts';

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
const turn = (
  { name, port, pids, cookies }: Arrangement,
  job: Partial<Turn['job']> = {},
): Turn => ({
  name,
  pids,
  job: { port, path, cookies, unique: true, ...job },
});
const roundsOf = (found: Rounds, name: string): readonly Round[] => found.get(name) ?? [];
const sum = (rounds: readonly Round[], figure: (one: Round) => number): number =>
  rounds.reduce((all, one) => all + figure(one), 0);

/** Errors of a round: what was not answered well, and what the upstream did not see as often, or not with a token, as it was answered. */
const wrong = (found: Rounds, name: string): number => {
  const rounds = roundsOf(found, name);
  const proxied = sum(rounds, ({ upstream, good }) => Math.abs(upstream - good));
  const bearers =
    name === names.bare ? 0 : sum(rounds, ({ upstream, withToken }) => upstream - withToken);
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
  const unsure = (throughput: boolean, ...of: string[]): string[] =>
    of.flatMap((name) => doubts(roundsOf(found, name), throughput, name));
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
    judge(
      'throughput / bare',
      against(found, ours, bare, perSecond),
      { least: 0.4, stretch: 0.55 },
      rates,
      unsure(true, ours, bare),
    ),
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
      ...(['measured', 'load', 'upstream', 'redis'] as const).map((side) =>
        two(of(found, name, ({ shares }) => shares[side])),
      ),
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
  const unsure = (found: Rounds): string[] =>
    [bare, ours].flatMap((name) => doubts(roundsOf(found, name), false, name));
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
    judge(
      'one connection, p50 / bare',
      against(alone, ours, bare, p50),
      { most: 2.5, stretch: 2 },
      shown(alone, p50),
      unsure(alone),
    ),
    judge(
      'paced 500/s, p50 / bare',
      against(paced, ours, bare, p50),
      { most: 2.3, stretch: 1.7 },
      shown(paced, p50),
      unsure(paced),
    ),
    judge(
      'paced 500/s, p99 / bare',
      against(paced, ours, bare, p99),
      { most: 4, stretch: 2 },
      shown(paced, p99),
      unsure(paced),
    ),
    judge('errors of this gateway in these', failed, { most: 0, stretch: 0 }, '', []),
  ];
};

/** Reads that never reach the upstream: answered from what is kept, or joined to one under way. */
export const fromMemory = async (
  scene: Scene,
  bare: Arrangement,
  ours: Arrangement,
  pace: Pace,
): Promise<Finding[]> => {
  const one = { pids: ours.pids, job: { port: ours.port, path, cookies: ours.cookies } };
  const turns: Turn[] = [
    { name: names.bare, pids: bare.pids, job: { port: bare.port, path, cookies: [] } },
    { ...one, name: 'kept' },
    // One person whose tabs all ask anew at once: what is under way is shared.
    {
      ...one,
      name: 'joined',
      job: {
        ...one.job,
        cookies: ours.cookies.slice(0, 1),
        headers: { 'cache-control': 'no-cache' },
      },
    },
  ];
  const found = await takeTurns(scene, turns, pace);
  return (['kept', 'joined'] as const).map((name) => {
    const rounds = found.get(name) ?? [];
    const [good, upstream, failed] = [
      rounds.map((each) => each.good),
      rounds.map((each) => each.upstream),
      rounds.map((each) => each.failed),
    ].map((list) => list.reduce((a, b) => a + b, 0));
    const share = (((upstream ?? 0) / Math.max(1, good ?? 0)) * 100).toFixed(1);
    const how = `${of(found, name, ({ perSecond }) => perSecond).toFixed(0)} a second, ${of(found, name, ({ cpu }) => cpu).toFixed(0)} us each; ${share} % went upstream; errors ${failed}`;
    const unsure = [names.bare, name].flatMap((each) => doubts(found.get(each) ?? [], true, each));
    const what =
      name === 'kept'
        ? 'read answered from memory, throughput / bare'
        : 'read joined, throughput / bare';
    return judge(
      what,
      against(found, name, names.bare, ({ perSecond }) => perSecond),
      { least: 0.8, stretch: 1.5 },
      how,
      unsure,
    );
  });
};

/** Two gateways that share a Redis, on two cores, beside one on one. */
export const twoGateways = async (
  scene: Scene,
  { rounds, seconds, warm }: Pace,
): Promise<Finding[]> => {
  const env = { INSTANCES: '2' };
  const [first, second] = [
    await scene.gateway({ env }),
    await scene.gateway({ env, core: cores.around }),
  ];
  const cookies = await seedOurs(scene.redisUrl, scene.upstream, 64);
  const job = (port: number, long: number) => ({
    port,
    path,
    unique: true,
    cookies,
    connections: 32,
    seconds: long,
    length: answerLength,
  });
  const rates: number[] = [];
  const byCost: number[] = [];
  let failed = 0;
  for (const { port, pid } of [first, second])
    await measure(scene.around, [pid], { ...job(port, warm), atMost: warmRequests });
  for (let round = 0; round < rounds; round += 1) {
    const alone = await measure(scene.around, [first.pid], job(first.port, seconds));
    const before = cpuOf([second.pid]);
    const other = ask(scene.beside, job(second.port, seconds));
    const one = await measure(scene.around, [first.pid], job(first.port, seconds));
    const { outcome } = (await other) as { outcome?: Outcome };
    const used = cpuOf([second.pid]) - before;
    if (outcome === undefined) throw new Error('the load of the second gateway failed');
    rates.push((one.perSecond + outcome.good / outcome.seconds) / alone.perSecond);
    const cost = (one.cpu * one.good + used * 1e6) / (one.good + outcome.good);
    byCost.push((2 * alone.cpu) / cost);
    failed += alone.failed + one.failed + outcome.broken;
  }
  const doubt =
    availableParallelism() < 4
      ? [
          `with ${availableParallelism()} cores the second gateway shares its own with load, upstream and Redis: throughput says ${median(rates).toFixed(2)}, and can say no more`,
        ]
      : [];
  return [
    judge(
      'two gateways on two cores / one on one',
      median(byCost),
      { least: 1.7, stretch: 1.9 },
      `by processor time per read, two sharing a Redis beside one; by throughput ${median(rates).toFixed(2)}; errors ${failed}`,
      doubt,
    ),
  ];
};
