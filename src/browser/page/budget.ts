import type { Allowance, CostClass, Session } from '../index.ts';
import { el, place } from './dom.ts';
import { stretch } from './when.ts';

const rows: [CostClass, string][] = [
  ['write', 'Changes'],
  ['read', 'Look-ups'],
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

const state = ({ limit, remaining, resetSeconds }: Allowance): string => {
  if (remaining >= limit) return 'all free';
  return `${remaining === 0 ? 'the next one' : 'full again'} in ${stretch(Math.max(1, resetSeconds))}`;
};

/** Seconds until these numbers are no longer true by themselves; undefined when all is free. */
export function trueFor(quota: Session['quota']): number | undefined {
  const spent = rows.flatMap(([cost]) =>
    quota?.[cost] && quota[cost].remaining < quota[cost].limit ? [quota[cost].resetSeconds] : [],
  );
  return spent.length === 0 ? undefined : Math.max(1, Math.min(...spent));
}

/** What the user may still do this minute, by the gateway's count. */
export function showBudget(quota: Session['quota']): void {
  const known = rows.flatMap(([cost, name]) =>
    quota?.[cost] ? [{ name, cost, allowance: quota[cost] }] : [],
  );
  place('budget-card').hidden = known.length === 0;
  if (known.length === 0) return;
  const slowest = Math.max(...known.map(({ allowance }) => allowance.windowSeconds));
  place('budget').replaceChildren(
    el(
      'dl',
      { class: 'budget' },
      ...known.map(({ name, cost, allowance }) =>
        el(
          'div',
          {},
          el('dt', {}, name),
          el(
            'dd',
            { 'data-test': `budget-${cost}` },
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
      `Auth0 allows each account this much every ${slowest === 60 ? 'minute' : stretch(slowest)}. What is over waits its turn here; it is not lost.`,
    ),
  );
}
