const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const date = new Intl.DateTimeFormat('en', { dateStyle: 'medium' });
const moment = new Intl.DateTimeFormat('en', { dateStyle: 'full', timeStyle: 'short' });

/** Seconds of each unit, largest first. */
const units: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

/** "2 hours ago" for the last thirty days, then the date. */
export function formatAgo(time: Date, now = Date.now()): string {
  const seconds = (now - time.getTime()) / 1000;
  if (seconds > 30 * 86_400) return date.format(time);
  const [unit, size] = units.find(([, size]) => seconds >= size) ?? ['minute', 60];
  return seconds < 60 ? 'just now' : relative.format(-Math.floor(seconds / size), unit);
}

/** A `<time>` that says how long ago, and in full on hover. */
export function timeAgo(time: Date): HTMLTimeElement {
  const element = document.createElement('time');
  element.dateTime = time.toISOString();
  element.title = moment.format(time);
  element.textContent = formatAgo(time);
  return element;
}

/**
 * A stretch of time in the two largest units that are not empty: "2 days 4 hours", "45 seconds".
 */
export function formatDuration(seconds: number): string {
  const parts: string[] = [];
  let left = Math.max(0, Math.round(seconds));
  for (const [unit, size] of [...units, ['second', 1] as const]) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0) parts.push(`${count} ${unit}${count === 1 ? '' : 's'}`);
  }
  return parts.slice(0, 2).join(' ') || '0 seconds';
}
