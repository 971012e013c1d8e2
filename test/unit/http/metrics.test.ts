import { expect, test } from '@jest/globals';
import { createMetrics } from '../../../src/gateway/http/metrics.ts';

const samples = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(/[{ ]/)[0] ?? '')
    .filter((name, index, all) => all.indexOf(name) === index)
    .sort();

test('the registry shows everything that /metrics shows, its histograms too', async () => {
  const metrics = createMetrics();
  metrics.requestSeconds.observe({ method: 'GET', route: '/', status: 200 }, 0.004);
  metrics.upstreamSeconds.observe({ operation: 'list' }, 0.004);
  metrics.budgetWaitSeconds.observe({ bucket: 'read' }, 0.004);
  metrics.failures.inc({ code: 'internal' });
  const { text, contentType } = await metrics.expose();
  expect(contentType).toContain('text/plain');
  expect(samples(text)).toContain('http_server_request_duration_seconds_bucket');
  expect(samples(text)).toContain('my_account_failures_total');
  expect(samples(await metrics.registry.metrics())).toEqual(samples(text));
});

test('a value that is dear to keep up to date is worked out when somebody asks, whoever asks', async () => {
  const metrics = createMetrics();
  metrics.beforeCollect(() => metrics.budgetFairness.set(0.5));
  expect(await metrics.registry.metrics()).toContain('my_account_budget_fairness 0.5');
});
