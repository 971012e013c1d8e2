// node bench/sessions/failover.ts [--rounds 5] [--sessions 30] [--leeway 0] [--wait MS]
// A planned failover by Sentinel under renewals: two gateways, access tokens living two seconds, every
// session in use. Counts the sessions that had to be signed in again, and how long a read took before.
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createRedis } from '../../src/gateway/redis/client.ts';
import { methods, openCrowd, startSentinels, type Crowd, type Member } from './crowd.ts';
import { eachOf, freePort, openStage, untilReady } from './stage.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    sessions: { type: 'string', default: '30' },
    leeway: { type: 'string', default: '0' },
    wait: { type: 'string' },
  },
});
const quiet = { info: () => undefined, warn: () => undefined };

const round = async () => {
  const stage = openStage();
  let crowd: Crowd | undefined;
  try {
    const { url, sentinel } = await startSentinels(stage);
    crowd = await openCrowd(stage, {
      ...{
        redisUrl: url,
        origin: 'http://localhost:1',
        instances: 2,
        leewaySeconds: Number(values.leeway),
        accessTokenSeconds: 2,
      },
    });
    const members = await crowd.members(Number(values.sessions));
    const ports = [await freePort(), await freePort()];
    for (const port of ports) {
      const wait = values.wait === undefined ? {} : { REDIS_WAIT_MS: values.wait };
      stage.program(['start'], { ...crowd.settings(port), READ_KEEP_SECONDS: '0', ...wait });
    }
    for (const port of ports) await untilReady(`http://localhost:${port}/readyz`);

    const call = async ({ cookie }: Member, port = 0): Promise<number> => {
      const headers = { cookie, 'sec-fetch-site': 'same-origin' };
      const answer = await fetch(`http://localhost:${port}${methods}`, { headers }).catch(
        () => undefined,
      );
      await answer?.arrayBuffer().catch(() => undefined);
      return answer?.status ?? 0;
    };
    const statuses = new Map<number, number>();
    const times: number[] = [];
    let over = false;
    let switched = false;
    const using = members.map(async (member, index) => {
      for (let turn = index; !over; turn += 1) {
        const began = performance.now();
        const status = await call(member, ports[turn % 2]);
        if (!switched) times.push(performance.now() - began);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        await sleep(100);
      }
    });
    await sleep(4_000);
    switched = true;
    const watch = createRedis({ url: sentinel, keyPrefix: '' }, quiet);
    await watch.opened(2_000);
    const primary = async (): Promise<string> =>
      String(await watch.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'main'));
    const before = await primary();
    for (let asked = false; !asked;) {
      asked = await watch.command('SENTINEL', 'FAILOVER', 'main').then(
        () => true,
        () => false,
      );
      if (!asked) await sleep(500);
    }
    for (let i = 0; (await primary()) === before; i += 1) {
      if (i > 100) throw new Error('the failover did not come');
      await sleep(100);
    }
    await watch.close();
    await sleep(12_000);
    over = true;
    await Promise.all(using);
    let lost = 0;
    await eachOf(members, 8, async (member) => {
      let status = 0;
      for (let attempt = 0; attempt < 15 && status !== 200 && status !== 401; attempt += 1) {
        status = await call(member, ports[attempt % 2]);
        if (status !== 200 && status !== 401) await sleep(500);
      }
      if (status !== 200) lost += 1;
    });
    const refreshes = (await crowd.audit()).filter(
      ({ parameters }) => parameters?.['grant_type'] === 'refresh_token',
    );
    times.sort((a, b) => a - b);
    const at = (share: number): number => Math.round(times[Math.floor(times.length * share)] ?? 0);
    const spentTwice = refreshes.filter(({ status }) => status === 403).length;
    return {
      lost,
      sessions: members.length,
      refreshes: refreshes.length,
      spentTwice,
      p50: at(0.5),
      p95: at(0.95),
      statuses: Object.fromEntries(statuses),
    };
  } finally {
    await crowd?.close();
    stage.end();
  }
};

for (let i = 0; i < Number(values.rounds); i += 1) console.log(JSON.stringify(await round()));
