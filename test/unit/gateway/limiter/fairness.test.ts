import { describe, expect, test } from '@jest/globals';
import { createMetrics } from '../../../../src/gateway/http/metrics.ts';
import { createFairness } from '../../../../src/gateway/limiter/fairness.ts';
import { measureLimiter } from '../../../../src/gateway/limiter/metrics.ts';

const play = (bound?: number) => {
  let now = 0;
  const fairness = createFairness(() => now, bound);
  const user = (name: string, asked: number, admitted: number) => {
    for (let turn = 0; turn < asked; turn++) fairness.asked(name);
    for (let turn = 0; turn < admitted; turn++) fairness.admitted(name);
  };
  return { fairness, user, pass: (ms: number) => (now += ms) };
};

describe('fairness of the last minute', () => {
  test('is 1 while nobody asks, and while everybody gets what they ask', () => {
    const { fairness, user } = play();
    expect(fairness.index()).toBe(1);
    user('ann', 3, 3);
    user('bob', 50, 50);
    expect(fairness.index()).toBe(1);
  });

  test('is 1 when the greedy one alone goes short', () => {
    const { fairness, user } = play();
    for (let other = 0; other < 9; other++) user(`user ${String(other)}`, 1, 1);
    user('greedy', 50, 11);
    expect(fairness.index()).toBeCloseTo(1, 6);
  });

  test('falls when the greedy one is served at the cost of others', () => {
    const { fairness, user } = play();
    user('greedy', 20, 10);
    for (let other = 0; other < 9; other++) user(`user ${String(other)}`, 1, 0);
    expect(fairness.index()).toBeLessThan(0.2);
  });

  test('forgets what is older than a minute', () => {
    const { fairness, user, pass } = play();
    user('ann', 5, 0);
    user('bob', 5, 5);
    expect(fairness.index()).toBeLessThan(0.6);
    pass(60_000);
    user('ann', 1, 1);
    expect(fairness.index()).toBe(1);
  });

  test('remembers no more users than its bound', () => {
    const { fairness, user } = play(2);
    user('ann', 1, 1);
    user('bob', 1, 1);
    for (let other = 0; other < 100; other++) user(`user ${String(other)}`, 1, 0);
    expect(fairness.index()).toBe(1);
  });
});

test('what the budget does is told as metrics, and no user with it', async () => {
  const metrics = createMetrics();
  const told = measureLimiter(metrics, () => 0);
  for (const user of ['ann', 'bob'])
    told({ kind: 'offered', bucket: 'authentication_methods_read', user });
  told({
    kind: 'admitted',
    bucket: 'authentication_methods_read',
    user: 'ann',
    waitedMs: 20,
    degraded: false,
  });
  told({
    kind: 'refused',
    bucket: 'authentication_methods_read',
    user: 'ann',
    by: 'tenant',
    retryMs: 1_000,
  });
  told({ kind: 'limited', bucket: 'authentication_methods_read', by: 'user' });
  const { text } = await metrics.expose();
  for (const line of [
    'my_account_budget_offered_total{bucket="authentication_methods_read"} 2',
    'my_account_budget_decisions_total{bucket="authentication_methods_read",decision="admitted"} 1',
    'my_account_budget_decisions_total{bucket="authentication_methods_read",decision="refused_tenant"} 1',
    'my_account_budget_wait_seconds_count{bucket="authentication_methods_read"} 1',
    'my_account_upstream_rate_limited_total{kind="user"} 1',
    'my_account_budget_fairness 0.5',
  ])
    expect(text.split('\n')).toContain(line);
  expect(text).not.toMatch(/ann|bob/);
});
