import type { Allowance, BucketName, Session } from '../index.ts';
import { byId, el } from './dom.ts';
import { formatDuration } from './time.ts';

const rows: [BucketName, string][] = [
  ['authentication_methods_write', 'Changes'],
  ['authentication_methods_read', 'Look-ups'],
  ['factors_read', 'Kinds to add'],
  ['connected_accounts_create_flow', 'Connecting'],
  ['connected_accounts_read_accounts', 'Connected accounts'],
  ['connected_accounts_read_connections', 'Accounts to connect'],
  ['connected_accounts_write', 'Disconnecting'],
];
/** These are shown always, the others once something of them is spent. */
const always: readonly BucketName[] = [
  'authentication_methods_write',
  'authentication_methods_read',
];

/** Few enough to count are shown one by one. */
const pips = ({ limit, remaining }: Allowance): HTMLElement =>
  el(
    'span',
    { class: 'pips', 'aria-hidden': 'true' },
    ...Array.from({ length: Math.min(limit, 20) }, (_, index) =>
      el('i', { class: index < remaining ? 'on' : 'off' }),
    ),
  );

const spent = (allowance: Allowance | undefined): boolean =>
  allowance !== undefined && allowance.remaining < allowance.limit;

const state = ({ limit, remaining, resetIn }: Allowance): string => {
  if (remaining >= limit) return 'all free';
  return `${remaining === 0 ? 'the next one' : 'full again'} in ${formatDuration(Math.max(1, resetIn))}`;
};

/** Seconds until these numbers are no longer true by themselves; undefined when all is free. */
export function secondsUntilStale(quota: Session['quota']): number | undefined {
  const times = rows.flatMap(([bucket]) =>
    spent(quota?.[bucket]) ? [quota?.[bucket]?.resetIn ?? 0] : [],
  );
  return times.length === 0 ? undefined : Math.max(1, Math.min(...times));
}

/** What the user may still do this minute, by the gateway's count. */
export function showBudget(quota: Session['quota']): void {
  const known = rows.flatMap(([bucket, name]) => {
    const allowance = quota?.[bucket];
    const shown = allowance && (always.includes(bucket) || spent(allowance));
    return shown ? [{ name, bucket, allowance }] : [];
  });
  byId('budget-card').hidden = known.length === 0;
  if (known.length === 0) return;
  byId('budget').replaceChildren(
    el(
      'dl',
      { class: 'budget' },
      ...known.map(({ name, bucket, allowance }) =>
        el(
          'div',
          {},
          el('dt', {}, name),
          el(
            'dd',
            { 'data-test': `budget-${bucket}` },
            el('b', {}, `${allowance.remaining} of ${allowance.limit}`),
            pips(allowance),
            el('small', {}, state(allowance)),
          ),
        ),
      ),
    ),
    el(
      'p',
      { class: 'quiet' },
      `Auth0 allows each account this much every minute. What is over waits its turn here; it is not lost.`,
    ),
  );
}
