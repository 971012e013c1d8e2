import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Table } from '../table.ts';
import { eachOf } from '../sessions/stage.ts';
import { poisson } from '../limiter/load.ts';
import { arrangements, fullScope, type Conditions, type Open } from './arrangements.ts';

interface Tab {
  readonly headers: Record<string, string>;
  readonly method: string;
  /** The browser holds the list of factors: later loads of this tab do not ask for it. */
  factors: boolean;
  /** The name the user last got confirmed. */
  confirmed: number;
  writing: boolean;
}

interface Counts {
  readonly cold: number;
  readonly warm: number;
  readonly failed: number;
  readonly stale: number;
  readonly renamed: number;
  readonly limited: number;
  readonly upstreamReads: number;
  readonly busy: number;
}

const list = '/api/me/v1/authentication-methods';

/** Page loads of many users over three gateways, with renames in between, for one arrangement. */
async function run(
  open: Open,
  conditions: Conditions,
  size: { users: number; perSecond: number; coldMs: number; warmMs: number },
): Promise<Counts> {
  const { users, perSecond, coldMs, warmMs } = size;
  const arrangement = await open(conditions);
  const { tenant, origins } = arrangement;
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  let turn = 0;
  const call = (
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: string,
  ): Promise<{ status: number; text: string }> =>
    new Promise((resolve, reject) => {
      const type =
        body === undefined
          ? {}
          : {
              'content-type': 'application/json',
              'content-length': String(Buffer.byteLength(body)),
            };
      // Any gateway, whichever the user's request before went to.
      const sent = request(
        `${origins[turn++ % origins.length]}${path}`,
        { method, agent, headers: { ...headers, ...type } },
        (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
          answer.once('error', reject).once('end', () => {
            resolve({ status: answer.statusCode ?? 0, text });
          });
        },
      );
      sent.once('error', reject).end(body);
    });

  try {
    // Signing in is not what is measured: it must not run into the limits of the token endpoint.
    tenant.configure({ limits: { enforced: false } });
    const tabs: Tab[] = [];
    await eachOf(
      tenant.users.add({ count: users, password: 'of the bench', totp: true }),
      8,
      async (user) => {
        const { email, totpSecret } = user;
        const headers = await arrangement.signIn({ email, password: 'of the bench', totpSecret });
        const method = user.methods.find(({ type }) => type === 'totp')?.id ?? '';
        tabs.push({ headers, method, factors: false, confirmed: 0, writing: false });
      },
    );
    tenant.configure({ limits: { enforced: true } });

    const counts = {
      cold: 0,
      warm: 0,
      failed: 0,
      stale: 0,
      renamed: 0,
      limited: 0,
      upstreamReads: 0,
    };
    let seen = tenant.requests().at(-1)?.id ?? 0;
    // The tenant's log is bounded: it is read every second.
    const tally = (): void => {
      for (const { id, path, method, status } of tenant.requests(seen)) {
        seen = id;
        if (path.startsWith('/me/') && status === 429) counts.limited += 1;
        if (path.startsWith('/me/') && method === 'GET') counts.upstreamReads += 1;
      }
    };
    const watch = setInterval(tally, 1_000);
    const began = performance.now();
    const idle = performance.eventLoopUtilization();
    const since = (): number => performance.now() - began;

    const read = async (tab: Tab, path: string): Promise<boolean> => {
      const before = tab.confirmed;
      const { status, text } = await call('GET', path, tab.headers);
      if (status !== 200) return false;
      if (path === list && Number(/"name":"named (\d+)"/.exec(text)?.[1] ?? 0) < before)
        counts.stale += 1;
      return true;
    };
    const load = async (tab: Tab): Promise<void> => {
      const at = since();
      const listed = await read(tab, list).catch(() => false);
      if (!tab.factors) tab.factors = await read(tab, '/api/me/v1/factors').catch(() => false);
      const good = listed && tab.factors;
      if (!good) counts.failed += 1;
      else if (at < coldMs) counts.cold += 1;
      else counts.warm += 1;
    };
    const rename = async (tab: Tab): Promise<void> => {
      if (tab.writing) return;
      tab.writing = true;
      const next = tab.confirmed + 1;
      const path = `${list}/${encodeURIComponent(tab.method)}`;
      const { status } = await call(
        'PATCH',
        path,
        tab.headers,
        JSON.stringify({ name: `named ${next}` }),
      ).catch(() => ({ status: 0 }));
      // Taken as seen only when it was confirmed: what an unanswered one did nobody knows.
      if (status === 200) {
        tab.confirmed = next;
        counts.renamed += 1;
      }
      tab.writing = false;
    };

    const under = new Set<Promise<void>>();
    const next = poisson(
      perSecond,
      (random) => `${random() < 0.015 ? 'write' : 'load'} ${Math.floor(random() * users)}`,
    );
    let due = 0;
    while (due < coldMs + warmMs) {
      const early = due - since();
      if (early > 1) await sleep(early);
      const { gapMs, user } = next();
      due += gapMs;
      const [what, index] = user.split(' ');
      const tab = tabs[Number(index)];
      if (tab === undefined) continue;
      const one = what === 'write' ? rename(tab) : load(tab);
      under.add(one);
      void one.finally(() => under.delete(one));
    }
    const busy = performance.eventLoopUtilization(idle).utilization;
    await Promise.all(under);
    clearInterval(watch);
    tally();
    return { ...counts, busy };
  } finally {
    agent.destroy();
    await arrangement.close();
  }
}

/** How many page loads a minute many users of one tenant can have. */
export async function pageLoads(quick: boolean, say: (line: string) => void): Promise<Table> {
  const size = quick
    ? { users: 40, perSecond: 150, coldMs: 1_500, warmMs: 1_500 }
    : { users: 500, perSecond: 400, coldMs: 20_000, warmMs: 60_000 };
  const conditions: Conditions = {
    ...{ plan: 'enterprise', tenantPerSecond: 25, userPerMinute: 5, gateways: 3 },
    settings: { AUTH0_SCOPE: fullScope },
  };
  const rows: [string, Counts][] = [];
  for (const [name, open] of Object.entries(arrangements)) {
    say(`page loads: ${name}`);
    rows.push([name, await run(open, conditions, size)]);
  }
  const perMinute = ({ warm }: Counts): number => Math.round((warm * 60_000) / size.warmMs);
  const best = Math.max(...rows.slice(1).map(([, counts]) => perMinute(counts)));
  return {
    title: 'Page loads of many users',
    about: `Plan Enterprise (25 reads a second; 5 a minute for each user), ${size.users} users signed in, 3 gateways on one Redis; ${size.perSecond} times a second a random user loads the page (the list of methods, and until the tab has them the factors; whoever is refused does not wait: the load has failed) or, 1.5 times in a hundred, renames a method; each request goes to the next gateway. One arrangement after the other, the same load for each: first ${size.coldMs / 1_000} s from nothing, then ${size.warmMs / 1_000} s that are counted, as loads a minute. Stale: a list older than a rename of that user's that was answered before the read began. Everything but Redis runs in one process; near 1 it was the bottleneck.`,
    columns: [
      '',
      'loads a minute',
      'times the best other',
      'loads while cold',
      'failed',
      'stale',
      'renames',
      'reads upstream',
      '429 upstream',
      'busy',
    ],
    rows: rows.map(([name, counts]) => [
      name,
      perMinute(counts),
      (perMinute(counts) / Math.max(1, best)).toFixed(1),
      ...[
        counts.cold,
        counts.failed,
        counts.stale,
        counts.renamed,
        counts.upstreamReads,
        counts.limited,
      ],
      counts.busy.toFixed(2),
    ]),
  };
}
