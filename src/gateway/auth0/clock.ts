/** The tenant's clock as seen from here. */
export interface TenantClock {
  /** Seconds to add to this machine's time for the tenant's; 0 where they agree. */
  skewSeconds(): number;
  /** Reads it off an answer of the tenant's: `Date`, and `Age` where a cache gave it (RFC 9110 section 6.6.1, RFC 9111 section 5.1). */
  observe(headers: Headers): void;
}

// Below this it is the way of the answer, and the whole seconds of a Date.
const noticedSeconds = 5;
// What is signed here has to live a minute at the tenant's: from this on it would fail without the correction.
const toldSeconds = 45;
// A machine further off than this is told so by failures: working around it would only hide it.
const mostSeconds = 900;

/** Makes one; `tell` hears of a difference an operator should mend, once for each quarter of a minute it changes by. */
export const createTenantClock = (tell: (seconds: number) => void): TenantClock => {
  let skew = 0;
  let told = 0;
  return {
    skewSeconds: () => (Math.abs(skew) > mostSeconds ? 0 : skew),
    observe(headers) {
      const at = Date.parse(headers.get('date') ?? '');
      const age = Number(headers.get('age') ?? 0);
      if (Number.isNaN(at) || Number.isNaN(age)) return;
      const seen = Math.round((at - Date.now()) / 1000 + age);
      skew = Math.abs(seen) < noticedSeconds ? 0 : seen;
      if (Math.abs(skew) < toldSeconds || Math.abs(skew - told) < 15) return;
      told = skew;
      tell(skew);
    },
  };
};
