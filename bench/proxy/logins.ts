import type { Table } from '../table.ts';
import { judge, type Finding } from './judge.ts';
import { median } from './measure.ts';
import { cpuOf, treeOf } from './processes.ts';
import type { BenchTenant } from './tenant.ts';

/** Where people sign in: its origin, its processes and the address that starts it. */
export interface Door {
  readonly name: string;
  readonly origin: string;
  readonly pid: number;
  readonly start: string;
}

/**
 * Logins at the local tenant, which knows the person already: start, redirects, code, callback, a new session each time. What counts is the processor time
 * of the arrangement alone, since the tenant costs far more than any of them; logins per second per core are what follows from it.
 */
export const logins = async (
  tenant: BenchTenant,
  doors: readonly Door[],
  rounds: number,
  each: number,
): Promise<{ findings: Finding[]; table: Table }> => {
  const costs = new Map<string, number[]>(doors.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round += 1) {
    for (const { name, origin, pid, start } of doors) {
      const people = await Promise.all(Array.from({ length: each }, async () => tenant.person(origin)));
      const before = cpuOf(treeOf(pid));
      for (const person of people) {
        const back = await person.visit(start);
        if (back.status !== 200 || !back.url.startsWith(origin))
          throw new Error(`a login at ${name} ended at ${back.url} with ${back.status}`);
      }
      if (round > 0) costs.get(name)?.push((cpuOf(treeOf(pid)) - before) / each);
    }
  }
  const [ours, eoc, ...rest] = doors;
  const cost = (door: Door | undefined): number => median(costs.get(door?.name ?? '') ?? []);
  const ratio = median((costs.get(ours?.name ?? '') ?? []).map((seconds, i) => (costs.get(eoc?.name ?? '')?.[i] ?? NaN) / seconds));
  const shown = (door: Door | undefined): string => `${(1 / cost(door)).toFixed(0)} (${(cost(door) * 1_000).toFixed(2)} ms each)`;
  return {
    findings: [
      judge(
        "logins per second per core / express-openid-connect's",
        ratio,
        { least: 2, stretch: 3 },
        `${shown(ours)}, theirs ${shown(eoc)}`,
        [],
      ),
    ],
    table: {
      title: 'Logins',
      about: `A login by somebody the local tenant knows already, from the first address to a small page after the callback that only the signed-in see; processor time of the arrangement alone, medians of ${rounds} alternating rounds of ${each}.`,
      columns: ['arrangement', 'logins per second per core'],
      rows: [ours, eoc, ...rest].map((door) => [door?.name ?? '', shown(door)]),
    },
  };
};
