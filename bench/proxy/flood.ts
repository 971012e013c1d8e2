import { doubts, judge, type Finding } from './judge.ts';
import type { Outcome } from './load.ts';
import { measure, median, type Round } from './measure.ts';
import { ask } from './processes.ts';
import { warmRequests, type Pace } from './rounds.ts';
import { answerLength, path, type Arrangement, type Scene } from './scene.ts';
import { seedOurs } from './seed.ts';

const perSecond = 100;

/** One session far over its limit, and what the others notice of it. The limits of users are the plan's own here; the tenant's would only hide the flood. */
export const flood = async (scene: Scene, bare: Arrangement, { rounds, seconds, warm }: Pace): Promise<Finding[]> => {
  const gateway = await scene.gateway({
    env: { RATE_LIMIT_USER_READ: '', RATE_LIMIT_TENANT_READ: '1000000', RATE_LIMIT_TENANT_FACTORS_READ: '1000000' },
  });
  const quietSeconds = seconds * 2;
  // Each of the others asks three times at most in all: within anybody's limit.
  const others = await seedOurs(scene.redisUrl, scene.upstream, Math.ceil(((rounds * 2 + 2) * quietSeconds * perSecond) / 3));
  const [one = ''] = await seedOurs(scene.redisUrl, scene.upstream, 1);
  let used = 0;
  const quiet = (long: number) => {
    const count = Math.ceil((long * perSecond) / 3);
    const cookies = others.slice(used, (used += count));
    return {
      port: gateway.port,
      path,
      unique: true,
      cookies,
      rotate: true,
      connections: 32,
      perSecond,
      seconds: long,
      length: answerLength,
    };
  };
  const flooding = { port: gateway.port, path, unique: true, cookies: [one], connections: 32, length: answerLength, also: 429 };
  const yard = { port: bare.port, path, unique: true, cookies: [], connections: 32, length: answerLength };
  const found: { bare: Round[]; flood: Round[]; before: Round[]; during: Outcome[] } = { bare: [], flood: [], before: [], during: [] };
  await measure(scene.around, [gateway.pid], { ...flooding, seconds: warm, atMost: warmRequests });
  await measure(scene.around, [gateway.pid], quiet(Math.min(warm, seconds)));
  for (let round = 0; round < rounds; round += 1) {
    found.bare.push(await measure(scene.around, bare.pids, { ...yard, seconds }));
    found.before.push(await measure(scene.around, [gateway.pid], quiet(quietSeconds)));
    const beside = ask(scene.beside, { ...quiet(quietSeconds) });
    found.flood.push(await measure(scene.around, [gateway.pid], { ...flooding, seconds: quietSeconds }));
    const { outcome } = (await beside) as { outcome?: Outcome };
    if (outcome !== undefined) found.during.push(outcome);
  }
  const refused = (each: Outcome): number => (each.statuses['429'] ?? 0) / each.seconds;
  const wrong = found.flood.reduce((sum, { failed }) => sum + failed, 0);
  const disturbed = [...found.before, ...found.during].reduce((sum, { good, statuses, broken }) => {
    const answers = Object.values(statuses).reduce((a, b) => a + b, 0);
    return sum + answers - good + broken;
  }, 0);
  const rate = median(found.flood.map((each, i) => refused(each) / (found.bare[i]?.perSecond ?? NaN)));
  const slower = median(found.during.map((each, i) => each.p99 / (found.before[i]?.p99 ?? NaN)));
  const late = median(found.during.map((each) => each.late));
  const cpu = median(found.flood.map((each) => each.cpu)).toFixed(0);
  return [
    judge(
      '429 per second under flood / bare requests',
      rate,
      { least: 2, stretch: 3.5 },
      `${median(found.flood.map(refused)).toFixed(0)} a second, ${cpu} us each with the others' reads in it, bare ${median(found.bare.map((each) => each.perSecond)).toFixed(0)}; errors ${wrong}`,
      [...doubts(found.bare, true, 'bare'), ...doubts(found.flood, true, 'flood')],
    ),
    judge(
      "another session's p99 in that flood / before it",
      slower,
      { most: 2, stretch: 1.3 },
      `${perSecond} reads a second of others: ${median(found.before.map(({ p99 }) => p99)).toFixed(2)} ms before, ${median(found.during.map(({ p99 }) => p99)).toFixed(2)} ms during; errors ${disturbed}`,
      [...doubts(found.flood, true), ...(late > 3 ? [`the pacer of the others came ${late.toFixed(1)} ms late`] : [])],
    ),
  ];
};
