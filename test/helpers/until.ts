import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Returns true as soon as it holds, asked again every 20 ms, a failure counting as no; false when it did not within the time.
 * The time is one that no machine at work exceeds: only a test that is to fail waits for its end.
 */
export const until = async (
  holds: () => Promise<boolean> | boolean,
  ms = 60_000,
): Promise<boolean> => {
  const end = performance.now() + ms;
  do {
    if (await (async () => holds())().catch(() => false)) return true;
    await sleep(20);
  } while (performance.now() < end);
  return false;
};
