import type { RedisServer } from '../../test/helpers/redis.ts';
import { contenders } from './contenders.ts';
import type { Gate, Numbers } from './contenders.ts';
import type { Fate } from './load.ts';
import { openWithClock } from './offset-gate.ts';
import { startUpstream } from './upstream.ts';
import type { Upstream } from './upstream.ts';

/** Sends a load through the gates of one contender to its own tenant. */
export type Run = (gates: readonly Gate[], upstream: Upstream) => Promise<Fate[]>;

const limitsOf = ({ tenant, user }: Numbers) => ({
  tenant: { limit: tenant, windowSeconds: 1 },
  user: { limit: user, windowSeconds: 60 },
});
let runs = 0;

/** The same load for everybody at once: side by side in time as well. With `clocks` each gateway is a thread whose clock is off by so many ms. */
export async function everybody(
  redis: RedisServer,
  gateways: number,
  numbers: Numbers,
  run: Run,
  clocks?: readonly number[],
): Promise<[string, Fate[]][]> {
  const turn = ++runs;
  return Promise.all(
    Object.entries(contenders).map(async ([name, open], index): Promise<[string, Fate[]]> => {
      const upstream = await startUpstream(limitsOf(numbers));
      const prefix = `b${turn}.${index}:`;
      const one = (gateway: number) =>
        clocks === undefined
          ? open(redis.url, prefix, numbers)
          : openWithClock({
              name,
              url: redis.url,
              prefix,
              numbers,
              offsetMs: clocks[gateway] ?? 0,
            });
      const gates = await Promise.all(
        Array.from({ length: gateways }, (_, gateway) => one(gateway)),
      );
      const fates = await run(gates, upstream);
      await Promise.all(gates.map((gate) => gate.close()));
      await upstream.close();
      return [name, fates];
    }),
  );
}
