import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { droppedLines } from './log-destination.ts';

const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What the gateway counts, by our names; labels take a bounded set of values each (never an id, a path or a scope as sent). */
export interface Metrics {
  /** The text of `GET /metrics` and its content type. */
  expose(): Promise<{ contentType: string; text: string }>;
  readonly registry: Registry;
  /** Runs this each time somebody collects, from the registry too: for a value that is dear to keep up to date. */
  beforeCollect(update: () => void): void;
  readonly requestSeconds: Histogram<'method' | 'route' | 'status'>;
  readonly upstreamRequests: Counter<'operation' | 'status'>;
  readonly upstreamSeconds: Histogram<'operation'>;
  readonly upstreamRateLimited: Counter<'kind'>;
  readonly reads: Counter<'outcome'>;
  readonly budgetOffered: Counter<'bucket'>;
  readonly budgetDecisions: Counter<'bucket' | 'decision'>;
  readonly budgetWaitSeconds: Histogram<'bucket'>;
  readonly budgetFairness: Gauge;
  readonly tokenRefreshes: Counter<'outcome'>;
  readonly stepUps: Counter<'reason'>;
  readonly sessions: Counter<'event'>;
  readonly failures: Counter<'code'>;
  /** What the store held or said in no form of ours, by what it should have been; it was left out. */
  readonly malformed: Counter<'what'>;
  /** Exceptions and rejections that only the last net caught. */
  readonly unforeseen: Counter<'origin'>;
}

/** Makes a registry of its own, so that two gateways in one process do not count each other's requests. */
export function createMetrics(options: { readonly processMetrics?: boolean } = {}): Metrics {
  const registry = new Registry();
  const registers = [registry];
  if (options.processMetrics === true) collectDefaultMetrics({ register: registry });
  new Counter({
    name: 'my_account_log_lines_dropped_total',
    help: 'Log lines that could not be written',
    registers,
    collect() {
      this.reset();
      this.inc(droppedLines());
    },
  });
  const updates: (() => void)[] = [];
  const counter = <T extends string>(
    name: string,
    help: string,
    labelNames: readonly T[],
  ): Counter<T> => new Counter({ name, help, labelNames, registers });
  const histogram = <T extends string>(
    name: string,
    help: string,
    labelNames: readonly T[],
  ): Histogram<T> => new Histogram({ name, help, labelNames, buckets, registers });
  return {
    registry,
    beforeCollect: (update) => void updates.push(update),
    expose: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
    // The name and labels of OpenTelemetry's semantic conventions, so existing dashboards fit.
    requestSeconds: histogram('http_server_request_duration_seconds', 'Time to answer a request', [
      'method',
      'route',
      'status',
    ]),
    upstreamRequests: counter(
      'my_account_upstream_requests_total',
      'Requests sent to the My Account API',
      ['operation', 'status'],
    ),
    upstreamSeconds: histogram(
      'my_account_upstream_duration_seconds',
      'Time until the My Account API began to answer',
      ['operation'],
    ),
    upstreamRateLimited: counter(
      'my_account_upstream_rate_limited_total',
      '429 answers of the My Account API: user or tenant',
      ['kind'],
    ),
    reads: counter('my_account_reads_total', 'Reads by how they were answered', ['outcome']),
    budgetOffered: counter(
      'my_account_budget_offered_total',
      'Requests that asked the limiter for a place',
      ['bucket'],
    ),
    budgetDecisions: counter('my_account_budget_decisions_total', 'Decisions of the limiter', [
      'bucket',
      'decision',
    ]),
    budgetWaitSeconds: histogram(
      'my_account_budget_wait_seconds',
      'Time spent in the queue for a slot',
      ['bucket'],
    ),
    budgetFairness: new Gauge({
      name: 'my_account_budget_fairness',
      help: 'Jain index over users, what each got of their fair share, last minute',
      registers,
      collect() {
        for (const update of updates) update();
      },
    }),
    tokenRefreshes: counter('my_account_token_refreshes_total', 'Refreshes of access tokens', [
      'outcome',
    ]),
    stepUps: counter('my_account_step_ups_total', 'Step-ups asked for', ['reason']),
    sessions: counter('my_account_sessions_total', 'Sessions made and ended', ['event']),
    failures: counter('my_account_failures_total', 'Failures answered by the gateway itself', [
      'code',
    ]),
    unforeseen: counter(
      'my_account_unforeseen_total',
      'Exceptions and rejections that nothing caught: each is a bug',
      ['origin'],
    ),
    malformed: counter(
      'my_account_malformed_total',
      'What came out of Redis in no known form and was left out',
      ['what'],
    ),
  };
}
