import { afterEach, expect, test } from '@jest/globals';
import { openTab, startAnswering } from './a-gateway.ts';

let close = (): Promise<void> => Promise.resolve();
afterEach(() => close());

async function given(...answers: Parameters<typeof startAnswering>) {
  const gateway = await startAnswering(...answers);
  close = gateway.close;
  return { ...gateway, ...openTab(gateway.origin) };
}

const refused = (code: string, seconds: number, status = code === 'rate_limited' ? 429 : 503) => ({
  status,
  body: { code },
  headers: { 'retry-after': String(seconds) },
});
const factors = { status: 200, body: { factors: [] } };

test('A read over the limit waits in the open, second by second, and then succeeds', async () => {
  const { tab, load } = await given(refused('rate_limited', 3), factors);
  const told: number[] = [];
  expect(
    await load({ onWait: ({ secondsLeft }) => told.push(secondsLeft) }).factors.list(),
  ).toEqual({ factors: [] });
  expect(told).toEqual([3, 2, 1, 0]);
  expect(tab.waited).toBe(3000);
});

test('Waits end where patience does, all of them together', async () => {
  const { seen, tab, load } = await given(refused('rate_limited', 40), refused('rate_limited', 40));
  await expect(load({ waitAtMost: 60 }).factors.list()).rejects.toMatchObject({
    code: 'rate_limited',
    retryAfterSeconds: 40,
  });
  expect(seen).toHaveLength(2);
  expect(tab.waited).toBe(40_000);
});

test('A change that was refused before it was made waits as well', async () => {
  const { seen, load } = await given(refused('tenant_busy', 1), refused('rate_limited', 1), {
    status: 204,
  });
  await load().authenticationMethods.delete('totp|dev_1');
  expect(seen).toHaveLength(3);
});

test('A change that may have been made is never sent twice', async () => {
  const { seen, load } = await given(refused('http_503', 1), { status: 204 });
  await expect(load().authenticationMethods.delete('totp|dev_1')).rejects.toMatchObject({
    status: 503,
  });
  expect(seen).toHaveLength(1);
});

test('A read waits until the store is back', async () => {
  const { load } = await given(refused('store_unavailable', 1), factors);
  expect(await load().factors.list()).toEqual({ factors: [] });
});

test('A refusal that does not say how long is not waited for', async () => {
  const { seen, load } = await given({ status: 429, body: {} }, factors);
  await expect(load().factors.list()).rejects.toMatchObject({ status: 429 });
  expect(seen).toHaveLength(1);
});

test('Retry-After as a date counts from the clock of this machine', async () => {
  const { tab, load } = await given(
    { status: 429, body: {}, headers: { 'retry-after': 'Thu, 01 Jan 2026 00:00:05 GMT' } },
    factors,
  );
  await load().factors.list();
  expect(tab.waited).toBe(5000);
});

test('A wait that is given up ends the call and its countdown', async () => {
  const { seen, load } = await given(refused('rate_limited', 30), factors);
  const stop = new AbortController();
  const told: number[] = [];
  const onWait = ({ secondsLeft }: { secondsLeft: number }): void => {
    told.push(secondsLeft);
    if (secondsLeft === 28) stop.abort();
  };
  await expect(load({ onWait }).factors.list({ signal: stop.signal })).rejects.toMatchObject({
    name: 'AbortError',
  });
  expect(told.at(-1)).toBe(0);
  expect(seen).toHaveLength(1);
});
