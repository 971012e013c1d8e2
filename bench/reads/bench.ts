import type { Bench } from '../table.ts';
import { pageLoads } from './loads.ts';
import { sittings } from './sitting.ts';

/**
 * What keeping reads is worth: one user's sitting on the smallest plan, and the page loads of many on a large one. The quick form makes both at the
 * same time: a sitting is mostly waiting.
 */
export const reads: Bench = async ({ quick, say }) =>
  quick
    ? Promise.all([sittings(quick, say), pageLoads(quick, say)])
    : [await sittings(quick, say), await pageLoads(quick, say)];
