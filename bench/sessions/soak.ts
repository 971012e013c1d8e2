import { setTimeout as sleep } from 'node:timers/promises';
import type { Table } from '../table.ts';
import { methods, openCrowd, startSentinels, type Crowd, type Member } from './crowd.ts';
import { eachOf, freePort, openStage, untilReady } from './stage.ts';

/** Traffic over two gateways while the primary of Redis and then one gateway are killed; counts what must be zero. */
export const soak = async (
  count: number,
  seconds: number,
  leewaySeconds: number,
  say: (line: string) => void,
): Promise<Table['rows'][number]> => {
  const stage = openStage();
  let crowd: Crowd | undefined;
  try {
    const { url, killPrimary } = await startSentinels(stage);
    crowd = await openCrowd(stage, {
      ...{
        redisUrl: url,
        origin: 'http://localhost:1',
        instances: 2,
        leewaySeconds,
        accessTokenSeconds: 2,
      },
    });
    const { settings, audit: seenByTenant } = crowd;
    say(`signing ${count} users in`);
    const members = await crowd.members(count);
    const ports = [await freePort(), await freePort()];
    // Each read is to need a token.
    const startGateway = (port: number) =>
      stage.program(['start'], { ...settings(port), READ_KEEP_SECONDS: '0' });
    const gateways = ports.map(startGateway);
    for (const port of ports) await untilReady(`http://localhost:${port}/readyz`);

    const seen = new Map<number, number>();
    let wrongUser = 0;
    const call = async ({ sub, cookie }: Member, port: number): Promise<number> => {
      const answer = await fetch(`http://localhost:${port}${methods}`, {
        headers: { cookie, 'x-csrf': '1' },
      }).catch(() => undefined);
      const status = answer?.status ?? 0;
      seen.set(status, (seen.get(status) ?? 0) + 1);
      const text = (await answer?.text().catch(() => '')) ?? '';
      if (status === 200 && !text.includes(JSON.stringify(sub).slice(1, -1))) wrongUser += 1;
      return status;
    };
    let spentTwice = 0;
    let refreshes = 0;
    const audit = async (): Promise<void> => {
      for (const { status, parameters } of await seenByTenant()) {
        if (parameters?.['grant_type'] !== 'refresh_token') continue;
        refreshes += 1;
        if (status === 403) spentTwice += 1;
      }
    };
    say(`${seconds} s of traffic`);
    const began = performance.now();
    const until = began + seconds * 1000;
    const auditing = setInterval(() => void audit().catch(() => undefined), 3_000);
    const trouble = (async () => {
      await sleep((seconds * 1000) / 3);
      say('the primary of Redis is killed');
      killPrimary();
      await sleep((seconds * 1000) / 3);
      say('a gateway is killed, and started again');
      gateways[0]?.kill('SIGKILL');
      await sleep(2_000);
      startGateway(ports[0] ?? 0);
    })();
    await Promise.all(
      Array.from({ length: 24 }, async (_, worker) => {
        for (let turn = worker; performance.now() < until; turn += 1) {
          const member = members[Math.floor(Math.random() * members.length)];
          if (member === undefined) continue;
          // As a browser's reload or a balancer's next try: an answer that says "again" is asked again, elsewhere.
          for (let attempt = 0; attempt < 20 && performance.now() < until + 15_000; attempt += 1) {
            const status = await call(member, ports[(turn + attempt) % 2] ?? 0);
            if (status === 200 || status === 401) break;
            await sleep(500);
          }
        }
      }),
    );
    await trouble;
    await untilReady(`http://localhost:${ports[0]}/readyz`);
    const during = new Map(seen);
    say('looking at every session');
    let lost = 0;
    await eachOf(members, 24, async (member) => {
      let status = 0;
      for (let attempt = 0; attempt < 12; attempt += 1) {
        status = await call(member, ports[attempt % 2] ?? 0);
        if (status === 200 || status === 401) break;
        await sleep(1_000);
      }
      if (status !== 200) lost += 1;
    });
    clearInterval(auditing);
    await audit();
    const good = during.get(200) ?? 0;
    const retry = (during.get(503) ?? 0) + (during.get(0) ?? 0) + (during.get(502) ?? 0);
    return [leewaySeconds, count, good, retry, refreshes, lost, spentTwice, wrongUser];
  } finally {
    await crowd?.close();
    stage.end();
  }
};
