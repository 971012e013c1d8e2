import type { Fate } from './load.ts';

/** 429s of the API per 10,000 requests offered. */
export const limitedPer10000 = (fates: readonly Fate[]): number =>
  Math.round(
    (fates.filter(({ outcome }) => outcome === 'limited').length / Math.max(1, fates.length)) *
      10_000,
  );

/** Requests served between two moments (ms), a second. */
export const servedPerSecond = (fates: readonly Fate[], from: number, to: number): number =>
  fates.filter(({ outcome, sentAt }) => outcome === 'served' && sentAt >= from && sentAt < to)
    .length /
  ((to - from) / 1_000);

/** The wait (ms) that this share of the served did not exceed. */
export function waitOf(fates: readonly Fate[], share: number): number {
  const waits = fates.filter(({ outcome }) => outcome === 'served').map(({ waitedMs }) => waitedMs);
  waits.sort((a, b) => a - b);
  return Math.round(waits[Math.min(waits.length - 1, Math.floor(waits.length * share))] ?? 0);
}

/** The most requests sent within any second; of those that the strict tenant refused: by how many its bucket was overshot there. */
export function mostInASecond(
  fates: readonly Fate[],
  outcomes: readonly Fate['outcome'][] = ['served', 'limited'],
): number {
  const sent = fates
    .filter(({ outcome }) => outcomes.includes(outcome))
    .map(({ sentAt }) => sentAt);
  sent.sort((a, b) => a - b);
  let most = 0;
  let first = 0;
  sent.forEach((at, index) => {
    while (at - (sent[first] ?? at) >= 1_000) first += 1;
    most = Math.max(most, index - first + 1);
  });
  return most;
}

/** Jain's index of what each got of what was fairly theirs: 1 when all got the same part of it. */
export function jain(parts: readonly number[]): number {
  const sum = parts.reduce((a, b) => a + b, 0);
  const squares = parts.reduce((a, b) => a + b * b, 0);
  return squares === 0 ? 1 : (sum * sum) / (parts.length * squares);
}

/** Max-min fair shares of a capacity among these demands. */
export function fairShares(demands: readonly number[], capacity: number): number[] {
  const shares = demands.map(() => 0);
  let left = capacity;
  let open = demands.map((_, index) => index);
  while (open.length > 0) {
    const equal = left / open.length;
    const small = open.filter((index) => (demands[index] ?? 0) <= equal);
    if (small.length === 0) {
      for (const index of open) shares[index] = equal;
      break;
    }
    for (const index of small) {
      shares[index] = demands[index] ?? 0;
      left -= demands[index] ?? 0;
    }
    open = open.filter((index) => !small.includes(index));
  }
  return shares;
}

/** Seconds from `at` (ms) until every later whole second has less than one 429 in a hundred sent; "never" when the last still has. */
export function calmAfter(fates: readonly Fate[], at: number, until: number): string {
  let calm = at;
  for (let second = at; second + 1_000 <= until; second += 1_000) {
    const sent = fates.filter(
      ({ sentAt, outcome }) =>
        sentAt >= second &&
        sentAt < second + 1_000 &&
        outcome !== 'refused' &&
        outcome !== 'failed',
    );
    const limited = sent.filter(({ outcome }) => outcome === 'limited').length;
    if (limited > sent.length / 100) calm = second + 1_000;
  }
  return calm >= until - 1_000 && calm > at ? 'never' : `${(calm - at) / 1_000} s`;
}
