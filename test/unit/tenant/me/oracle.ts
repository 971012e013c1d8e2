import type { Limit } from '../../../../src/tenant/state/buckets.ts';

/**
 * How far the worst window that ends with one more request at `at` goes over what a bucket may give: its burst and the refill in between.
 *
 * Above 0: the request had to be refused. It looks at admitted requests alone, so it shares nothing with the bucket it judges.
 */
export function excess(
  admitted: readonly number[],
  at: number,
  { limit, windowSeconds }: Limit,
): number {
  const step = windowSeconds > 1 ? 1000 : 1;
  const ticks = (time: number): number => Math.floor(time / step);
  let worst = 1 - limit;
  for (let first = admitted.length - 1; first >= 0; first -= 1) {
    const inWindow = admitted.length - first + 1;
    const refill =
      ((ticks(at) - ticks(admitted[first] ?? at)) * step * limit) / (windowSeconds * 1000);
    worst = Math.max(worst, inWindow - limit - refill);
  }
  return worst - 1e-6;
}
