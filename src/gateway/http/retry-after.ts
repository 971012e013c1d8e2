/** What no server makes this gateway wait longer than, in seconds. */
const longestSeconds = 3_600;

// The three forms of RFC 9110 section 5.6.7. Date.parse alone would read `soon 1` as a day of 2001, and asctime's form as local time.
const httpDates = [
  /^\w{3}, \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} GMT$/,
  /^\w{6,9}, \d{2}-\w{3}-\d{2} \d{2}:\d{2}:\d{2} GMT$/,
  /^\w{3} \w{3} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/,
];

/** Milliseconds since 1970 of an HTTP date in any of its three forms (RFC 9110 section 5.6.7), or undefined for any other text. */
export function readHttpDate(text: string): number | undefined {
  if (!httpDates.some((form) => form.test(text))) return undefined;
  const time = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(time) ? undefined : time;
}

/**
 * Returns the whole seconds that an answer's `Retry-After` asks to wait (RFC 9110 section 10.2.3), from 0 to 3600, or undefined when it has none or
 * one that is neither seconds nor a date. A date is measured by the answer's own `Date`, since this machine's clock may be minutes off.
 */
export function readRetryAfter(
  header: (name: string) => string | null | undefined,
  now: number = Date.now(),
): number | undefined {
  const text = header('retry-after')?.trim() ?? '';
  if (/^\d+$/.test(text)) return Math.min(longestSeconds, Number(text));
  const until = readHttpDate(text);
  if (until === undefined) return undefined;
  const from = readHttpDate(header('date')?.trim() ?? '') ?? now;
  return Math.min(longestSeconds, Math.max(0, Math.ceil((until - from) / 1_000)));
}
