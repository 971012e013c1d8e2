import { expect, test } from '@jest/globals';
import { readRetryAfter } from '../../../../src/gateway/http/retry-after.ts';

const now = Date.UTC(2026, 10, 27, 18, 0, 0);
const read = (headers: Record<string, string>): number | undefined =>
  readRetryAfter((name) => headers[name], now);
const after = (value: string, date?: string): number | undefined =>
  read({ 'retry-after': value, ...(date !== undefined && { date }) });

test.each<[string, number | undefined]>([
  ['0', 0],
  ['7', 7],
  [' 7 ', 7],
  ['0007', 7],
  ['3600', 3_600],
  ['99999999999', 3_600],
  ['9'.repeat(400), 3_600],
  ['1e300', undefined],
  ['-5', undefined],
  ['1.5', undefined],
  ['0x10', undefined],
  ['+3', undefined],
  ['Infinity', undefined],
  ['soon', undefined],
  // What Date.parse takes and no server means.
  ['soon 1', undefined],
  ['2026-11-27T18:00:30Z', undefined],
  ['5, 7', undefined],
  ['', undefined],
])('%j is %j seconds', (value, seconds) => {
  expect(after(value)).toBe(seconds);
});

test.each<[string, string, number | undefined]>([
  ['IMF-fixdate', 'Fri, 27 Nov 2026 18:00:30 GMT', 30],
  ['of RFC 850', 'Friday, 27-Nov-26 18:00:30 GMT', 30],
  ['of asctime', 'Fri Nov 27 18:00:30 2026', 30],
  ['of asctime, with one digit', 'Tue Dec  1 18:00:30 2026', 3_600],
  ['gone by', 'Fri, 27 Nov 2026 17:00:00 GMT', 0],
  ['years ahead', 'Fri, 27 Nov 2099 18:00:30 GMT', 3_600],
  ['that is none', 'Fri, 99 Nov 2026 18:00:30 GMT', undefined],
])('a date %s', (_form, value, seconds) => {
  expect(after(value)).toBe(seconds);
});

test('a date is measured by the clock of the server that wrote it, where that tells it', () => {
  expect(after('Fri, 27 Nov 2026 18:05:30 GMT', 'Fri, 27 Nov 2026 18:05:00 GMT')).toBe(30);
  expect(after('Fri, 27 Nov 2026 17:55:30 GMT', 'Fri, 27 Nov 2026 17:55:00 GMT')).toBe(30);
  expect(after('Fri, 27 Nov 2026 18:00:30 GMT', 'yesterday')).toBe(30);
});

test('nothing is said where nothing is there', () => {
  expect(read({})).toBeUndefined();
});
