import type { Metrics } from '../http/metrics.ts';
import type { BudgetEvent } from './budget.ts';
import { createFairness } from './fairness.ts';

/** Counts what the budget does, for `/metrics`: no user appears there, only how evenly all of them were served. */
export function measureBudget(metrics: Metrics, now: () => number = () => performance.now()): (event: BudgetEvent) => void {
  const fairness = createFairness(now);
  metrics.beforeExpose(() => {
    metrics.budgetFairness.set(fairness.index());
  });
  return (event) => {
    const { kind, cost } = event;
    if (kind === 'offered') {
      metrics.budgetOffered.inc({ class: cost });
      fairness.asked(event.user);
    } else if (kind === 'limited') {
      metrics.upstreamRateLimited.inc({ kind: event.by });
    } else if (kind === 'refused') {
      metrics.budgetDecisions.inc({ class: cost, decision: `refused_${event.by}` });
    } else {
      metrics.budgetDecisions.inc({ class: cost, decision: event.alone ? 'admitted_alone' : 'admitted' });
      metrics.budgetWaitSeconds.observe({ class: cost }, event.waitedMs / 1000);
      fairness.admitted(event.user);
    }
  };
}
