import { availableParallelism } from 'node:os';
import { judge, type Finding } from './judge.ts';
import type { Outcome } from './load.ts';
import { measure, median } from './measure.ts';
import { ask, cores, cpuOf } from './processes.ts';
import { warmRequests, type Pace } from './rounds.ts';
import { answerLength, path, type Scene } from './scene.ts';
import { seedOurs } from './seed.ts';

/** Two gateways that share a Redis, on two cores, beside one on one. */
export const twoGateways = async (scene: Scene, { rounds, seconds, warm }: Pace): Promise<Finding[]> => {
  const env = { INSTANCES: '2' };
  const [first, second] = [await scene.gateway({ env }), await scene.gateway({ env, core: cores.around })];
  const cookies = await seedOurs(scene.redisUrl, scene.upstream, 64);
  const job = (port: number, long: number) => ({ port, path, unique: true, cookies, connections: 32, seconds: long, length: answerLength });
  const rates: number[] = [];
  const byCost: number[] = [];
  let failed = 0;
  for (const { port, pid } of [first, second]) await measure(scene.around, [pid], { ...job(port, warm), atMost: warmRequests });
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
