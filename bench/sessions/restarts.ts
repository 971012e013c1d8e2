// node bench/sessions/restarts.ts [--gaps 3.5,7,12] [--config FILE] [--quick]
// Three gateways behind nginx with config/nginx.conf (or another) are restarted one after another by
// SIGTERM, so many seconds apart, under load; counts the requests that were not answered 200. Exit
// code 1 when there was one, or a write was executed twice. Three that start slower than they are
// restarted are away all at once, which no proxy mends: how long each start took is told.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startNginx } from '../../test/helpers/nginx.ts';
import { methods, openCrowd, type Crowd, type Member } from './crowd.ts';
import { freePort, openStage, untilReady, type Stage } from './stage.ts';

const { values } = parseArgs({
  options: {
    gaps: { type: 'string', default: '3.5,7,12' },
    config: { type: 'string' },
    quick: { type: 'boolean', default: false },
  },
});
const readers = 12;
const writers = 4;
const enrol = JSON.stringify({ type: 'totp' });

const ask = async (
  agent: Agent,
  url: string,
  method: string,
  { cookie }: Member,
): Promise<number> =>
  new Promise((resolve) => {
    const body = method === 'POST' ? enrol : undefined;
    const headers = {
      cookie,
      // Each is a write of its own: an equal one is otherwise answered as the one before.
      ...(method === 'POST' && { 'idempotency-key': randomUUID() }),
      'sec-fetch-site': 'same-origin',
      ...(body !== undefined && {
        'content-type': 'application/json',
        'content-length': body.length,
      }),
    };
    const sent = request(url, { method, agent, headers }, (answer) => {
      answer.once('error', () => resolve(0)).once('end', () => resolve(answer.statusCode ?? 0));
      answer.resume();
    });
    sent.once('error', () => resolve(0)).end(body);
  });

/** One gateway that is ended and started again as an orchestrator does it: ready before the next one goes. */
const startGateway = (stage: Stage, crowd: Crowd, port: number) => {
  const start = () => stage.program(['start'], crowd.settings(port));
  let child = start();
  return {
    async restart(): Promise<{ code: number | null; startSeconds: number }> {
      const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      const code = await ended;
      const began = performance.now();
      child = start();
      await untilReady(`http://127.0.0.1:${port}/readyz`);
      return { code, startSeconds: Math.round((performance.now() - began) / 100) / 10 };
    },
  };
};

const measure = async (gapSeconds: number) => {
  const stage = openStage();
  const folder = mkdtempSync(join(tmpdir(), 'restarts-'));
  const agent = new Agent({ keepAlive: true });
  let crowd: Crowd | undefined;
  let nginx: Awaited<ReturnType<typeof startNginx>> | undefined;
  try {
    const redisPort = await freePort();
    stage.redis(['--port', String(redisPort)]);
    const front = await freePort();
    crowd = await openCrowd(stage, {
      redisUrl: `redis://127.0.0.1:${redisPort}`,
      ...{
        origin: `http://localhost:${front}`,
        instances: 3,
        leewaySeconds: 30,
        accessTokenSeconds: 60,
        writing: true,
      },
    });
    const members = await crowd.members(60);
    const ports = [await freePort(), await freePort(), await freePort()];
    const here = crowd;
    const gateways = ports.map((port) => startGateway(stage, here, port));
    for (const port of ports) await untilReady(`http://127.0.0.1:${port}/readyz`);
    const config = values.config === undefined ? {} : { config: values.config };
    nginx = await startNginx({ folder, port: front, gateways: ports, ...config });

    const counts = { asked: 0, failed: 0, writes: 0, failedWrites: 0, executed: 0 };
    const codes = new Map<number, number>();
    const url = `http://127.0.0.1:${front}${methods}`;
    let over = false;
    const audit = async (): Promise<void> => {
      for (const { method, path, status } of await here.audit())
        if (method === 'POST' && path.endsWith('/authentication-methods') && status < 300)
          counts.executed += 1;
    };
    await audit();
    const use = async (method: string, pauseMs: number): Promise<void> => {
      while (!over) {
        const member = members[Math.floor(Math.random() * members.length)];
        if (member === undefined) return;
        const status = await ask(agent, url, method, member);
        const good = status >= 200 && status < 300;
        counts.asked += 1;
        if (method === 'POST') counts.writes += 1;
        if (!good) {
          counts.failed += 1;
          codes.set(status, (codes.get(status) ?? 0) + 1);
          if (method === 'POST') counts.failedWrites += 1;
        }
        if (pauseMs > 0) await sleep(pauseMs);
      }
    };
    const using = [
      ...Array.from({ length: readers }, async () => use('GET', 2)),
      ...Array.from({ length: writers }, async () => use('POST', 10)),
    ];
    const auditing = setInterval(() => void audit().catch(() => undefined), 500);
    await sleep(1_000);
    const restarts = gateways.map(async (gateway, index) => {
      await sleep(index * gapSeconds * 1_000);
      return gateway.restart();
    });
    const restarted = await Promise.all(restarts);
    await sleep(1_000);
    over = true;
    await Promise.all(using);
    clearInterval(auditing);
    await audit();
    return { gapSeconds, ...counts, codes: Object.fromEntries(codes), restarted };
  } finally {
    await nginx?.stop();
    agent.destroy();
    await crowd?.close();
    stage.end();
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
};

for (const gap of values.quick ? [3.5] : values.gaps.split(',').map(Number)) {
  const found = await measure(gap);
  console.log(JSON.stringify(found));
  if (
    found.failed > 0 ||
    found.executed > found.writes ||
    found.restarted.some(({ code }) => code !== 0)
  )
    process.exitCode = 1;
}
