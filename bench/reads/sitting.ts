import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, createPerson } from '../../test/helpers/person.ts';
import type { Table } from '../table.ts';
import { arrangements, type Arrangement, type Conditions, type Open } from './arrangements.ts';
import { openTab, type Met, type Surface } from './page.ts';

interface Seen extends Met {
  readonly seconds: number;
  readonly wrong: number;
  /** Loads that showed the list, of those after the first. */
  readonly loads: number;
  readonly listReads: number;
  readonly reads: number;
  readonly limited: number;
}

const password = 'of the bench';

/** The way from a page to its gateways for one signed-in user, each request to the next gateway. */
async function surfaceOf(arrangement: Arrangement, proves: number): Promise<Surface> {
  const { tenant, origins } = arrangement;
  const [user] = tenant.users.add({ count: 1, password, totp: true });
  const who = { email: user?.email ?? '', password, totpSecret: user?.totpSecret };
  let turn = 0;
  const answerOf = (status: number, headers: Headers, text: string, url: string): Response => {
    const answer = new Response(status === 204 ? null : text, { status, headers });
    Object.defineProperty(answer, 'url', { value: url });
    return answer;
  };
  if (arrangement.front !== undefined) {
    const person = createPerson(arrangement.front, who);
    await person.signIn('/');
    return {
      origin: arrangement.front,
      async call(method, path, headers, body) {
        const {
          status,
          headers: named,
          text,
          url,
        } = await person.call(method, path, body, headers);
        return answerOf(status, named, text, url);
      },
      async leave(address) {
        const form = await person.visit(address);
        // Takes the telephone, reads the code, types it.
        await sleep(proves);
        return (await person.answerForms(form)).url;
      },
    };
  }
  const signed = await arrangement.signIn(who);
  return {
    origin: origins[0] ?? '',
    async call(method, path, headers, body) {
      // A plain proxy has no sessions of its own to ask for.
      if (path.startsWith('/auth/')) {
        const session = { authenticated: true, user: { sub: who.email }, sessions: [] };
        return answerOf(200, new Headers(), JSON.stringify(session), path);
      }
      const url = `${origins[turn++ % origins.length]}${path}`;
      const answer = await fetch(url, {
        method,
        headers: { ...headers, ...signed },
        ...(body !== undefined && { body }),
      });
      return answerOf(answer.status, answer.headers, await answer.text(), url);
    },
    leave: (address) => Promise.resolve(address),
  };
}

/** One user's sitting over one arrangement; `pace` is by how much faster than a person it goes. */
async function sit(open: Open, conditions: Conditions, pace: number): Promise<Seen> {
  const arrangement = await open(conditions);
  try {
    const met: Met = { refusals: 0, waitedSeconds: 0, failures: [] };
    const surface = await surfaceOf(arrangement, 20_000 / pace);
    const from = arrangement.tenant.requests().at(-1)?.id ?? 0;
    const began = performance.now();
    const since = (): number => (performance.now() - began) * pace;
    // No sooner than that second; where the page kept the user waiting, later.
    const over = new AbortController();
    const at = async (second: number): Promise<void> =>
      sleep(Math.max(0, second * 1_000 - since()) / pace, undefined, { signal: over.signal });
    const [a, b] = [openTab(surface, met, over.signal), openTab(surface, met, over.signal)];
    let wrong = 0;
    let loads = 0;
    let expected: string[] = [];
    const check = (shown: string[] | undefined): void => {
      if (shown !== undefined) loads += 1;
      if (shown !== undefined && JSON.stringify(shown) !== JSON.stringify(expected)) wrong += 1;
    };

    const steps = async (): Promise<void> => {
      expected = (await a.open()) ?? [];
      await at(8);
      if (arrangement.front === undefined) await at(28);
      const enrolment = await a.begin();
      await at(48);
      const id = enrolment?.id ?? 'none';
      const added = await a.attempt(
        'verify',
        a.client().authenticationMethods.verify(id, {
          auth_session: enrolment?.auth_session ?? '',
          otp_code:
            enrolment?.manual_input_code === undefined ? '' : codeOf(enrolment.manual_input_code),
        }),
      );
      if (added !== undefined) expected = [...expected, added.id];
      // The page that a step-up came back to shows the list only now.
      if (
        arrangement.front !== undefined &&
        JSON.stringify(await a.look()) !== JSON.stringify(expected)
      )
        wrong += 1;
      await at(52);
      check(await a.open());
      await at(58);
      check(await b.open());
      await at(75);
      const renamed = await b.attempt(
        'rename',
        b.client().authenticationMethods.update(id, { name: 'My phone' }),
      );
      if (renamed !== undefined)
        expected = expected.map((each) => (each === id ? `${id} My phone` : each));
      for (const [second, tab] of [
        [78, b],
        [82, a],
        [90, a],
      ] as const) {
        await at(second);
        check(await tab.open());
      }
      await at(110);
      const gone = await a.attempt(
        'remove',
        a
          .client()
          .authenticationMethods.delete(id)
          .then(() => true),
      );
      if (gone === true) expected = expected.filter((each) => !each.startsWith(id));
      for (const [second, tab] of [
        [113, a],
        [117, b],
        [125, a],
        [140, b],
        [155, a],
      ] as const) {
        await at(second);
        check(await tab.open());
      }
    };
    await Promise.race([
      steps().catch(() => undefined),
      sleep(180_000 / pace, undefined, { signal: over.signal }),
    ]);
    const seen = {
      ...met,
      failures: [...met.failures],
      seconds: Math.round((performance.now() - began) / 1_000),
      wrong,
      loads,
    };
    over.abort();
    const asked = arrangement.tenant
      .requests(from)
      .filter(({ path }) => path.startsWith('/me/v1/'));
    const gets = asked.filter(({ method }) => method === 'GET');
    return {
      ...seen,
      listReads: gets.filter(({ path }) => path.startsWith('/me/v1/authentication-methods')).length,
      reads: gets.length,
      limited: asked.filter(({ status }) => status === 429).length,
    };
  } finally {
    await arrangement.close();
  }
}

/** A full sitting on the smallest plan, everybody's at the same time. */
export async function sittings(quick: boolean, say: (line: string) => void): Promise<Table> {
  say('a full sitting on plan Free');
  // In the quick form eight times as fast, with eight times the allowance, for everybody alike.
  const pace = quick ? 8 : 1;
  const conditions: Conditions = {
    ...{ plan: 'free', tenantPerSecond: 2, userPerMinute: 2 * pace, gateways: 2 },
    ...(quick && { settings: { READ_KEEP_SECONDS: '4' } }),
  };
  const rows = await Promise.all(
    Object.entries(arrangements).map(async ([name, open]) => {
      const {
        refusals,
        waitedSeconds,
        failures,
        seconds,
        wrong,
        loads,
        listReads,
        reads,
        limited,
      } = await sit(open, conditions, pace);
      return [
        name,
        refusals,
        waitedSeconds,
        failures.length,
        loads,
        wrong,
        listReads,
        reads,
        limited,
        seconds,
        failures[0] ?? '',
      ];
    }),
  );
  return {
    title: 'A full sitting on plan Free',
    about: `Two reads and two writes a minute for the user, 2 gateways; the account page's own client over HTTP, which waits where it is told to, counting down before the user, for at most a minute. One person opens the page, adds an authenticator app (20 s to confirm who they are, 20 s to scan and type), sees it, opens a second tab, renames it, removes it; ten loads in two tabs besides the first, 155 s in all, broken off after three minutes${quick ? '; the quick form goes eight times as fast with eight times the allowance' : ''}. Only this gateway asks for a step-up, whose return loads the page once more. To reach: no refusal, no failure, at most 2 list reads upstream.`,
    columns: [
      '',
      'refusals that reached the page',
      'seconds counted down',
      'failures shown',
      'loads done',
      'wrong lists',
      'list reads upstream',
      'reads upstream',
      '429 upstream',
      'took, s',
      'first failure',
    ],
    rows,
  };
}
