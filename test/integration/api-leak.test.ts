import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Limiter } from '../../src/gateway/limiter/limiter.ts';
import { openLimiter, quota, startGateway, startRawUpstream } from '../helpers/api.ts';
import type { Gateway } from '../helpers/api.ts';
import { until } from '../helpers/until.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

type Fault = 'slow' | 'reset before the answer' | 'reset in the answer' | 'down';
const head = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n';
let fault: Fault = 'slow';
let upstream: Awaited<ReturnType<typeof startRawUpstream>>;
let gateway: Gateway;
let gone: Gateway;
let impatient: Gateway;
const agent = new Agent({ keepAlive: true, maxSockets: 100 });

// Unlike the one of the other tests it keeps no list of what it was asked.
const forgetful: Limiter = {
  ...openLimiter().limiter,
  take: () =>
    Promise.resolve({
      admitted: true,
      quota,
      waitedMs: 0,
      refund: () => undefined,
      settled: () => undefined,
    }),
  feedback: () => undefined,
};

beforeAll(async () => {
  upstream = await startRawUpstream((socket: Socket) => {
    socket.on('data', () => {
      if (fault === 'reset before the answer') socket.resetAndDestroy();
      if (fault === 'reset in the answer')
        socket.write(`${head}{"half":`, () => socket.resetAndDestroy());
    });
  });
  gateway = await startGateway(upstream.origin, { limiter: forgetful });
  impatient = await startGateway(upstream.origin, { answerMs: 60, limiter: forgetful });
  const closed = await startRawUpstream(() => undefined);
  await closed.close();
  gone = await startGateway(closed.origin, { limiter: forgetful });
});
afterAll(async () => {
  agent.destroy();
  await gateway.close();
  await gone.close();
  await impatient.close();
  await upstream.close();
});

const one = async (): Promise<number> => {
  const { port } = fault === 'down' ? gone : fault === 'slow' ? impatient : gateway;
  const req = request({ host: '127.0.0.1', port, path: '/api/me/v1/factors', agent });
  req.end();
  try {
    const [res] = (await once(req, 'response')) as [import('node:http').IncomingMessage];
    res.resume();
    await once(res, 'close');
    return res.statusCode ?? 0;
  } catch {
    return 0;
  }
};
const many = async (count: number): Promise<Set<number>> => {
  const statuses = new Set<number>();
  let left = count;
  await Promise.all(
    Array.from({ length: 100 }, async () => {
      while (left-- > 0) statuses.add(await one());
    }),
  );
  return statuses;
};
const heap = (): number => {
  collect();
  collect();
  return process.memoryUsage().heapUsed;
};

const expected: [Fault, number][] = [
  ['down', 502],
  ['slow', 504],
  ['reset before the answer', 502],
  ['reset in the answer', 0],
];
test.each(expected)(
  'after 1,000 requests to an API that is %s: no connection and no memory is left behind',
  async (kind, status) => {
    fault = kind;
    await many(200);
    await sleep(50);
    const before = heap();
    expect(await many(1_000)).toEqual(new Set([status]));
    expect(await until(() => upstream.sockets.size === 0)).toBe(true);
    // Whatever was kept per request would be at least a few kilobytes each: two thousand bytes a request is the line.
    expect(heap() - before).toBeLessThan(2_000_000);
  },
);
