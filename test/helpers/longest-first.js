// Jest begins with the files that took longest last time, which a clean checkout does not know: there it goes by size.
// These wait most, measured on two cores; begun last, each would be waited for alone.
const longest = [
  'integration/refresh-cut-off',
  'integration/clocks',
  'integration/isolation-faults',
  'integration/unforeseen',
  'integration/redis-wrong',
  'integration/killed',
  'integration/refresh-drain',
  'integration/sign-in-cut-off',
  'browser/two-people',
  'integration/event-streams',
  'integration/time',
  'integration/redis-cluster',
  'integration/api-leak',
  'integration/refresh',
  'integration/answer-lost',
  'integration/api-reads',
  'browser/accessibility',
  'browser/connect',
  'integration/retry-after',
  'integration/unconfirmed-sign-in',
  'integration/redis-failover',
  'integration/upgrades',
];
const files = longest.map((name) => `/test/${name}.test.ts`);
const rank = ({ path }) => {
  const at = files.findIndex((file) => path.endsWith(file));
  return at === -1 ? files.length : at;
};

/** Orders the files of a run: those that wait most first, then those of test/integration. A class since Jest makes one. */
export default class LongestFirst {
  sort(tests) {
    const later = ({ path }) => (path.includes('/test/integration/') ? 0 : 1);
    return [...tests].sort(
      (a, b) => rank(a) - rank(b) || later(a) - later(b) || a.path.localeCompare(b.path),
    );
  }

  shard(tests, { shardIndex, shardCount }) {
    return tests.filter((_test, index) => index % shardCount === shardIndex - 1);
  }

  allFailedTests(tests) {
    return tests;
  }

  cacheResults() {
    // Nothing is kept from one run to the next.
  }
}
