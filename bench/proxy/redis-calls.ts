import { freePort, untilReady } from '../sessions/stage.ts';
import { judge, type Finding } from './judge.ts';
import type { Outcome } from './load.ts';
import { ask, cores, startOn } from './processes.ts';
import { answerLength, path, type Scene } from './scene.ts';
import { seedOurs } from './seed.ts';

/** Commands that the gateway sends to Redis for a proxied read, and how many times in a row it waits for Redis before it asks the upstream. */
export const redisCalls = async (scene: Scene, seconds: number): Promise<Finding[]> => {
  const [relayPort, upstreamPort] = [await freePort(), await freePort()];
  const redisPort = new URL(scene.redisUrl).port;
  const witness = startOn(cores.around, process.execPath, ['bench/proxy/witness.ts', redisPort, String(relayPort), String(upstreamPort)], {
    ipc: true,
  });
  scene.owns(witness);
  const tenant = `http://127.0.0.1:${upstreamPort}`;
  await untilReady(tenant);
  const gateway = await scene.gateway({ env: { AUTH0_DOMAIN: tenant, REDIS_URL: `redis://127.0.0.1:${relayPort}` } });
  const cookies = await seedOurs(scene.redisUrl, tenant, 32);
  const load = async (long: number): Promise<Outcome> => {
    const job = { port: gateway.port, path, unique: true, cookies, connections: 32, seconds: long, length: answerLength };
    const { outcome, error } = (await ask(scene.around.load, job)) as { outcome?: Outcome; error?: string };
    if (outcome === undefined) throw new Error(`the load failed: ${error ?? 'no answer'}`);
    return outcome;
  };
  const count = async () => (await ask(witness, {})) as { commands: number; answered: number };
  await load(seconds / 2);
  const before = await count();
  const outcome = await load(seconds);
  const after = await count();
  const { orders } = (await ask(witness, { port: gateway.port, path, cookie: cookies[0] ?? '', times: 100 })) as { orders: string[] };
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
