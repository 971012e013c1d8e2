import { rate } from './checks.ts';
import type { BucketName, BucketOverrides } from './plans.ts';

/** Auth0's buckets by what ends the name of their settings. */
const bucketOf = {
  READ: 'authentication_methods_read',
  WRITE: 'authentication_methods_write',
  FILTERED: 'authentication_methods_read_filtered',
  FACTORS_READ: 'factors_read',
  CONNECTED_ACCOUNTS_CREATE_FLOW: 'connected_accounts_create_flow',
  CONNECTED_ACCOUNTS_READ_ACCOUNTS: 'connected_accounts_read_accounts',
  CONNECTED_ACCOUNTS_READ_CONNECTIONS: 'connected_accounts_read_connections',
  CONNECTED_ACCOUNTS_WRITE: 'connected_accounts_write',
  ORGANIZATIONS_READ: 'organizations_read',
} as const satisfies Record<string, BucketName>;

type Suffix = keyof typeof bucketOf;
type RateLimitName = `RATE_LIMIT_${'TENANT' | 'USER'}_${Suffix}`;
const suffixes = Object.keys(bucketOf) as Suffix[];

const describe = (whose: 'tenant' | 'user', suffix: Suffix) => ({
  check: rate,
  meaning: `overrides the plan's ${whose} limit (a ${whose === 'tenant' ? 'second' : 'minute'}) of ${bucketOf[suffix]}`,
});

/** The settings that replace a published limit: one for the tenant and one for the user of each bucket. */
export const rateLimitSettings = Object.fromEntries(
  (['tenant', 'user'] as const).flatMap((whose) =>
    suffixes.map((suffix) => [
      `RATE_LIMIT_${whose.toUpperCase()}_${suffix}`,
      describe(whose, suffix),
    ]),
  ),
) as Record<RateLimitName, ReturnType<typeof describe>>;

/** Returns what the settings replace of the plan. */
export const bucketOverrides = (
  given: Readonly<Record<RateLimitName, number | undefined>>,
): BucketOverrides =>
  Object.fromEntries(
    suffixes.map((suffix) => {
      const tenant = given[`RATE_LIMIT_TENANT_${suffix}`];
      const user = given[`RATE_LIMIT_USER_${suffix}`];
      const replaced = {
        ...(tenant === undefined ? {} : { tenantPerSecond: tenant }),
        ...(user === undefined ? {} : { userPerMinute: user }),
      };
      return [bucketOf[suffix], replaced];
    }),
  );
