import type { Metrics } from '../http/metrics.ts';
import { createFairness } from './fairness.ts';
import type { LimiterEvent } from './limiter.ts';

/** Counts what the limiter does, for `/metrics`: no user appears there, only how evenly all of them were served. */
export function measureLimiter(
  metrics: Metrics,
  now: () => number = () => performance.now(),
): (event: LimiterEvent) => void {
  const fairness = createFairness(now);
  metrics.beforeCollect(() => {
    metrics.budgetFairness.set(fairness.index());
  });
  return (event) => {
    const { kind, bucket } = event;
    if (kind === 'offered') {
      metrics.budgetOffered.inc({ bucket });
      fairness.asked(event.user);
    } else if (kind === 'limited') {
      metrics.upstreamRateLimited.inc({ kind: event.by });
    } else if (kind === 'refused') {
      metrics.budgetDecisions.inc({ bucket, decision: `refused_${event.by}` });
    } else {
      const decision = event.degraded ? 'admitted_degraded' : 'admitted';
      metrics.budgetDecisions.inc({ bucket, decision });
      metrics.budgetWaitSeconds.observe({ bucket }, event.waitedMs / 1000);
      fairness.admitted(event.user);
    }
  };
}
