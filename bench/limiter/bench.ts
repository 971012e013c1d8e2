import { startRedis } from '../../test/helpers/redis.ts';
import type { RedisServer } from '../../test/helpers/redis.ts';
import type { Bench, Table } from '../table.ts';
import type { Numbers } from './contenders.ts';
import { drive, poisson } from './load.ts';
import type { Fate, Source } from './load.ts';
import {
  calmAfter,
  fairShares,
  jain,
  limitedPer10000,
  mostInASecond,
  servedPerSecond,
  waitOf,
} from './measures.ts';
import { everybody, type Run } from './everybody.ts';

const enterprise: Numbers = { tenant: 25, user: 5 };

/** The tenant's budget under load, beside what others would do; each contender has a tenant of its own and gets the same load at the same time. */
export const limiter: Bench = async ({ quick, say }) => {
  const parts: [string, (redis: RedisServer, quick: boolean) => Promise<Table>][] = [
    ['overload', overload],
    ['a greedy user', greedy],
    ['others on the tenant come and go', foreign],
    ['clocks five minutes apart', clocks],
    ['Redis is killed and comes back', killed],
  ];
  const redis = await startRedis();
  try {
    const tables: Table[] = [];
    for (const [what, part] of parts) {
      say(what);
      tables.push(await part(redis, quick));
    }
    return tables;
  } finally {
    await redis.stop();
  }
};

/** Beyond the limit of 25 a second; less far in the quick form, since some contenders let all that was asked wait, however long. */
const beyond = (quick: boolean) => (quick ? 50 : 75);
const timesBeyond = (quick: boolean) => (quick ? 'twice' : 'three times');

async function overload(redis: RedisServer, quick: boolean): Promise<Table> {
  const ms = quick ? 2_000 : 10_000;
  const rows: (string | number)[][] = [];
  for (const gateways of quick ? [3] : [1, 3, 10]) {
    for (const times of quick ? [2] : [0.9, 1, 2, 5, 10]) {
      const load = () =>
        poisson(
          enterprise.tenant * times,
          (random) => `user ${String(Math.floor(random() * 4_000))}`,
        );
      for (const [name, fates] of await everybody(redis, gateways, enterprise, (gates, upstream) =>
        drive(gates, upstream, load(), ms),
      )) {
        const used = Math.round(
          (servedPerSecond(fates, 1_000, ms) /
            Math.min(enterprise.tenant, enterprise.tenant * times)) *
            100,
        );
        const failed = fates.filter(({ outcome }) => outcome === 'failed').length;
        rows.push([
          name,
          gateways,
          `${times}x`,
          limitedPer10000(fates),
          `${used} %`,
          waitOf(fates, 0.5),
          waitOf(fates, 0.99),
          mostInASecond(fates),
          mostInASecond(fates, ['limited']),
          failed,
        ]);
      }
    }
  }
  return {
    title: 'Load around and beyond the limit',
    about: `Plan Enterprise (25 reads a second), 4,000 users, ${ms / 1_000} s each. Used: served a second after the first, of the limit or of what was asked where that is less. The tenant's bucket holds 25, so up to 50 in one second can be within it; overshoot is what it refused in the worst sliding second. To reach: no 429, overshoot 0, and at 0.9x a p99 of the wait within the deadline of 2,500 ms.`,
    columns: [
      '',
      'gateways',
      'load',
      '429 per 10,000',
      'used',
      'wait p50 ms',
      'wait p99 ms',
      'most sent in a second',
      'overshoot',
      'errors',
    ],
    rows,
  };
}

async function greedy(redis: RedisServer, quick: boolean): Promise<Table> {
  const numbers = { tenant: 100, user: 1_000_000 };
  const ms = quick ? 2_000 : 20_000;
  const modest = 0.9;
  const total = modest * (99 + 50);
  const load = (): Source =>
    poisson(total, (random) =>
      random() < 50 / 149 ? 'greedy' : `user ${String(Math.floor(random() * 99))}`,
    );
  const rows = (
    await everybody(redis, 3, numbers, (gates, upstream) => drive(gates, upstream, load(), ms))
  ).map(([name, fates]) => {
    const users = ['greedy', ...Array.from({ length: 99 }, (_, index) => `user ${String(index)}`)];
    const asked = users.map((user) => fates.filter((fate) => fate.user === user).length);
    const served = users.map(
      (user) =>
        fates.filter((fate) => fate.user === user && fate.outcome === 'served' && fate.sentAt < ms)
          .length,
    );
    const fair = fairShares(asked, (numbers.tenant * ms) / 1_000);
    const parts = served.map((got, index) => got / Math.max(1, fair[index] ?? 1));
    const sum = (list: readonly number[]) => list.slice(1).reduce((a, b) => a + b, 0);
    const modestPart = ((sum(served) / sum(asked)) * 100).toFixed(1);
    return [
      name,
      jain(parts).toFixed(3),
      `${modestPart} %`,
      `${Math.round(((served[0] ?? 0) / (asked[0] ?? 1)) * 100)} %`,
      limitedPer10000(fates),
    ];
  });
  return {
    title: 'One greedy user among a hundred',
    about: `100 reads a second for the tenant, no limit of their own for users, 3 gateways, ${ms / 1_000} s. 99 users ask 0.9 times a second, one 50 times as often: the 99 fit, the sum does not. Jain's index is over what each got, while the load lasted, of their max-min fair share.`,
    columns: ['', 'Jain', 'the 99 got of what they asked', 'the greedy one got', '429 per 10,000'],
    rows,
  };
}

async function foreign(redis: RedisServer, quick: boolean): Promise<Table> {
  const [from, to, ms] = quick ? [1_000, 3_000, 4_500] : [5_000, 25_000, 45_000];
  const load = () =>
    poisson(beyond(quick), (random) => `user ${String(Math.floor(random() * 4_000))}`);
  const foreigners = new Map<readonly Fate[], string>();
  const rows = (
    await everybody(redis, 3, enterprise, async (gates, upstream) => {
      const timers = [setTimeout(upstream.foreign, from, 10), setTimeout(upstream.foreign, to, 0)];
      const fates = await drive(gates, upstream, load(), ms);
      for (const timer of timers) clearTimeout(timer);
      const { asked, refused } = upstream.foreigners();
      foreigners.set(fates, `${Math.round((refused / Math.max(1, asked)) * 100)} %`);
      return fates;
    })
  ).map(([name, fates]) => {
    const settled = Math.min(10_000, (to - from) / 2);
    const during = Math.round((servedPerSecond(fates, from + settled, to) / 15) * 100);
    const after = Math.round(
      (servedPerSecond(fates, to + Math.min(10_000, (ms - to) / 2), ms) / 25) * 100,
    );
    return [
      name,
      limitedPer10000(fates),
      calmAfter(fates, from, to),
      `${during} %`,
      foreigners.get(fates) ?? '',
      `${after} %`,
    ];
  });
  return {
    title: 'Another application spends ten of the twenty-five for a while',
    about: `Plan Enterprise, 3 gateways, ${timesBeyond(quick)} the load. Seen through the API's headers only. Used: of the fifteen left, and of the twenty-five afterwards, once ten seconds (quick: half the time) have passed.`,
    columns: [
      '',
      '429 per 10,000',
      'under 1 % 429s after',
      'used while it lasts',
      'of the other application refused',
      'used afterwards',
    ],
    rows,
  };
}

async function clocks(redis: RedisServer, quick: boolean): Promise<Table> {
  const [gateways, ms] = quick ? [2, 2_000] : [3, 10_000];
  const load = () =>
    poisson(beyond(quick), (random) => `user ${String(Math.floor(random() * 4_000))}`);
  const run: Run = (gates, upstream) => drive(gates, upstream, load(), ms);
  const [right, wrong] = [
    new Map(await everybody(redis, gateways, enterprise, run, [0, 0, 0])),
    new Map(await everybody(redis, gateways, enterprise, run, [0, 300_000, -300_000])),
  ];
  const of = (fates: readonly Fate[]) => [
    limitedPer10000(fates),
    `${Math.round((servedPerSecond(fates, 1_000, ms) / 25) * 100)} %`,
    waitOf(fates, 0.99),
  ];
  return {
    title: 'Gateways whose clocks are five minutes apart',
    about: `Plan Enterprise, ${gateways} gateways in threads of their own, ${timesBeyond(quick)} the load, ${ms / 1_000} s: once with right clocks, once with one five minutes ahead${quick ? '' : ' and one five minutes behind'}.`,
    columns: [
      '',
      '429 per 10,000',
      'used',
      'wait p99 ms',
      'clocks apart: 429 per 10,000',
      'used',
      'wait p99 ms',
    ],
    rows: [...right].map(([name, fates]) => [name, ...of(fates), ...of(wrong.get(name) ?? [])]),
  };
}

async function killed(redis: RedisServer, quick: boolean): Promise<Table> {
  const [from, to, ms] = quick ? [1_000, 2_500, 4_500] : [5_000, 10_000, 25_000];
  const load = () =>
    poisson(beyond(quick), (random) => `user ${String(Math.floor(random() * 4_000))}`);
  const timers = [
    setTimeout(() => void redis.stop(), from),
    setTimeout(() => void redis.start(), to),
  ];
  const rows = (
    await everybody(redis, 3, enterprise, (gates, upstream) => drive(gates, upstream, load(), ms))
  ).map(([name, fates]) => {
    const during = Math.round((servedPerSecond(fates, from + 1_000, to) / 25) * 100);
    const after = Math.round((servedPerSecond(fates, to + (ms - to) / 2, ms) / 25) * 100);
    const failed = Math.round(
      (fates.filter(({ outcome }) => outcome === 'failed').length / fates.length) * 10_000,
    );
    return [
      name,
      limitedPer10000(fates),
      calmAfter(fates, from, ms),
      `${during} %`,
      `${after} %`,
      failed,
    ];
  });
  for (const timer of timers) clearTimeout(timer);
  return {
    title: 'Redis killed, and started again empty',
    about: `Plan Enterprise, 3 gateways, ${timesBeyond(quick)} the load; gone from second ${from / 1_000} to second ${to / 1_000} of ${ms / 1_000}. Used: of the twenty-five, while it is gone (from the second second on; without the shared count 80 % is all that is safe) and in the second half of what follows.`,
    columns: [
      '',
      '429 per 10,000',
      'under 1 % 429s after',
      'used while gone',
      'used afterwards',
      'errors per 10,000',
    ],
    rows,
  };
}
