import { freePort, untilReady } from '../sessions/stage.ts';
import { type Outcome } from './load.ts';
import {
  doubts,
  type Finding,
  judge,
  measure,
  median,
  type Pace,
  type Round,
  warmRequests,
} from './measure.ts';
import { answerLength, type Arrangement, ask, cores, path, type Scene, startOn } from './scene.ts';
import { seedOurs } from './tenant.ts';

const perSecond = 100;

/** One session far over its limit, and what the others notice of it. The limits of users are the plan's own here; the tenant's would only hide the flood. */
export const flood = async (
  scene: Scene,
  bare: Arrangement,
  { rounds, seconds, warm }: Pace,
): Promise<Finding[]> => {
  const gateway = await scene.gateway({
    env: { RATE_LIMIT_USER_CONNECTED_ACCOUNTS_READ_ACCOUNTS: '' },
  });
  const quietSeconds = seconds * 2;
  // Each of the others asks three times at most in all: within anybody's limit.
  const others = await seedOurs(
    scene.redisUrl,
    scene.upstream,
    Math.ceil(((rounds * 2 + 2) * quietSeconds * perSecond) / 3),
  );
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
  const flooding = {
    port: gateway.port,
    path,
    unique: true,
    cookies: [one],
    connections: 32,
    length: answerLength,
    also: 429,
  };
  const yard = {
    port: bare.port,
    path,
    unique: true,
    cookies: [],
    connections: 32,
    length: answerLength,
  };
  const found: { bare: Round[]; flood: Round[]; before: Round[]; during: Outcome[] } = {
    bare: [],
    flood: [],
    before: [],
    during: [],
  };
  await measure(scene.around, [gateway.pid], { ...flooding, seconds: warm, atMost: warmRequests });
  await measure(scene.around, [gateway.pid], quiet(Math.min(warm, seconds)));
  for (let round = 0; round < rounds; round += 1) {
    found.bare.push(await measure(scene.around, bare.pids, { ...yard, seconds }));
    found.before.push(await measure(scene.around, [gateway.pid], quiet(quietSeconds)));
    const beside = ask(scene.beside, { ...quiet(quietSeconds) });
    found.flood.push(
      await measure(scene.around, [gateway.pid], { ...flooding, seconds: quietSeconds }),
    );
    const { outcome } = (await beside) as { outcome?: Outcome };
    if (outcome !== undefined) found.during.push(outcome);
  }
  const refused = (each: Outcome): number => (each.statuses['429'] ?? 0) / each.seconds;
  const wrong = found.flood.reduce((sum, { failed }) => sum + failed, 0);
  const disturbed = [...found.before, ...found.during].reduce((sum, { good, statuses, broken }) => {
    const answers = Object.values(statuses).reduce((a, b) => a + b, 0);
    return sum + answers - good + broken;
  }, 0);
  const rate = median(
    found.flood.map((each, i) => refused(each) / (found.bare[i]?.perSecond ?? NaN)),
  );
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
      [
        ...doubts(found.flood, true),
        ...(late > 3 ? [`the pacer of the others came ${late.toFixed(1)} ms late`] : []),
      ],
    ),
  ];
};

/** Counts the commands that begin in a stream of bytes to Redis: arrays of bulk strings (RESP), in pieces as they come. */
export const createCommandCounter = (): ((piece: Buffer) => number) => {
  let rest = Buffer.alloc(0);
  // Bulk strings of the present command that are still to come.
  let strings = 0;
  return (piece) => {
    let bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    let found = 0;
    for (;;) {
      const end = bytes.indexOf('\r\n');
      if (end === -1) break;
      const number = Number(bytes.toString('latin1', 1, end));
      if (strings === 0) {
        found += 1;
        strings = number;
        bytes = bytes.subarray(end + 2);
        continue;
      }
      if (bytes.length < end + 2 + number + 2) break;
      strings -= 1;
      bytes = bytes.subarray(end + 2 + number + 2);
    }
    rest = Buffer.from(bytes);
    return found;
  };
};

/** Commands that the gateway sends to Redis for a proxied read, and how many times in a row it waits for Redis before it asks the upstream. */
export const redisCalls = async (scene: Scene, seconds: number): Promise<Finding[]> => {
  const [relayPort, upstreamPort] = [await freePort(), await freePort()];
  const redisPort = new URL(scene.redisUrl).port;
  const witness = startOn(
    cores.around,
    process.execPath,
    ['bench/proxy/witness.ts', redisPort, String(relayPort), String(upstreamPort)],
    {
      ipc: true,
    },
  );
  scene.owns(witness);
  const tenant = `http://127.0.0.1:${upstreamPort}`;
  await untilReady(tenant);
  const gateway = await scene.gateway({
    env: { AUTH0_DOMAIN: tenant, REDIS_URL: `redis://127.0.0.1:${relayPort}` },
  });
  const cookies = await seedOurs(scene.redisUrl, tenant, 32);
  const load = async (long: number): Promise<Outcome> => {
    const job = {
      port: gateway.port,
      path,
      unique: true,
      cookies,
      connections: 32,
      seconds: long,
      length: answerLength,
    };
    const { outcome, error } = (await ask(scene.around.load, job)) as {
      outcome?: Outcome;
      error?: string;
    };
    if (outcome === undefined) throw new Error(`the load failed: ${error ?? 'no answer'}`);
    return outcome;
  };
  const count = async () => (await ask(witness, {})) as { commands: number; answered: number };
  await load(seconds / 2);
  const before = await count();
  const outcome = await load(seconds);
  const after = await count();
  const { orders } = (await ask(witness, {
    port: gateway.port,
    path,
    cookie: cookies[0] ?? '',
    times: 100,
  })) as { orders: string[] };
  const tally = new Map<string, number>();
  for (const order of orders) tally.set(order, (tally.get(order) ?? 0) + 1);
  const [usual = '', times = 0] = [...tally].sort(([, a], [, b]) => b - a)[0] ?? [];
  const trips = usual.split(' ').indexOf('upstream');
  const commands = after.commands - before.commands;
  const missed = Math.abs(outcome.good - (after.answered - before.answered));
  return [
    judge(
      'Redis calls per proxied request, 32 connections',
      commands / Math.max(1, outcome.good),
      { most: 0.25 },
      `${commands} commands from the gateway for ${outcome.good} reads, counted by a relay on the way to Redis (what scripts call inside it is none); errors ${missed}`,
      [],
    ),
    judge(
      'Redis trips in a row before the upstream is asked',
      trips,
      { most: 1 },
      `one read at a time, ${times} of ${orders.length}: ${usual.replaceAll(' ', ', ')}`,
      [],
    ),
  ];
};
