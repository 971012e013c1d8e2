/** The tenant's clock as seen from here. */
export interface TenantClock {
  /** Seconds to add to this machine's time for the tenant's; 0 where they agree. */
  skewSeconds(): number;
  /**
   * Reads it from a response of the tenant: `Date`, and `Age` where a cache served it (RFC 9110
   * section 6.6.1, RFC 9111 section 5.1).
   */
  observe(headers: Headers): void;
}

// Below this it is the latency of the response, and a Date in whole seconds.
const noticedSeconds = 5;
// What is signed here is valid for a minute at the tenant: from here on it would fail uncorrected.
const reportedSeconds = 45;
// Beyond this nothing is corrected, and calls fail: working around such a clock would only hide it.
const mostSeconds = 900;

/**
 * Makes one; `report` is called with a difference an operator should fix, once for each quarter of
 * a minute it changes by.
 */
export const createTenantClock = (report: (seconds: number) => void): TenantClock => {
  let skew = 0;
  let reported = 0;
  return {
    skewSeconds: () => (Math.abs(skew) > mostSeconds ? 0 : skew),
    observe(headers) {
      const at = Date.parse(headers.get('date') ?? '');
      const age = Number(headers.get('age') ?? 0);
      if (Number.isNaN(at) || Number.isNaN(age)) return;
      const seen = Math.round((at - Date.now()) / 1000 + age);
      skew = Math.abs(seen) < noticedSeconds ? 0 : seen;
      if (Math.abs(skew) < reportedSeconds || Math.abs(skew - reported) < 15) return;
      reported = skew;
      report(skew);
    },
  };
};
