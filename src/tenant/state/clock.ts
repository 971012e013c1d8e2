/**
 * The tenant's own time: the machine's, moved by `clockOffsetSeconds`. Everything inside the tenant
 * asks this and nothing else.
 */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Whole seconds since 1970, as JWTs and `x-ratelimit-reset` want them. */
  seconds(): number;
  /** RFC 3339 with milliseconds and Z, as the My Account API prints times. */
  iso(): string;
}

/**
 * Makes a clock that reads its offset (seconds) anew at each call, so a test that changes the
 * setting moves time at once.
 */
export function createClock(offsetSeconds: () => number): Clock {
  const now = (): number => Date.now() + offsetSeconds() * 1000;
  return { now, seconds: () => Math.floor(now() / 1000), iso: () => new Date(now()).toISOString() };
}
