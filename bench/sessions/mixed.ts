// node bench/sessions/mixed.ts [--minutes 10] [--sessions 200] [--leeway 30] [--only tabs,kill,stop,cut,restart] [--quick]
// Three gateways in use while they are killed, stopped for more than five seconds, cut off from Redis,
// restarted by SIGTERM, and while users sign out in two tabs at once. Counts what must be zero and
// prints it as one line of JSON; exit code 1 when something is not.
import type { ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startRelay, type Relay } from '../../test/helpers/relay.ts';
import { methods, openCrowd, type Crowd, type Member } from './crowd.ts';
import { eachOf, freePort, openStage, untilReady, type Stage } from './stage.ts';

const kinds = ['tabs', 'kill', 'stop', 'cut', 'restart'] as const;
type Kind = (typeof kinds)[number];

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    sessions: { type: 'string', default: '200' },
    leeway: { type: 'string', default: '30' },
    only: { type: 'string', default: kinds.join(',') },
    quick: { type: 'boolean', default: false },
  },
});
const workers = 12;
const untilMs = 20_000;
const say = (line: string): void => console.error(`soak: ${line}`);

/** A gateway that reaches Redis through a relay of its own; what ends it without having been asked to is counted. */
const startGateway = async (stage: Stage, crowd: Crowd, redisPort: number) => {
  const [port, relay] = [await freePort(), await startRelay(redisPort)];
  const url = `http://localhost:${port}`;
  let child: ChildProcess;
  let meant = false;
  const ended: string[] = [];
  const start = async (): Promise<void> => {
    meant = false;
    const started = stage.program(['start'], {
      ...crowd.settings(port),
      REDIS_URL: `redis://127.0.0.1:${relay.port}`,
      READ_KEEP_SECONDS: '0',
      DRAIN_DELAY_SECONDS: '1',
      DRAIN_SECONDS: '40',
    });
    child = started;
    started.once('exit', (code, signal) => {
      if (!meant) ended.push(`${code ?? signal ?? ''}`);
    });
    await untilReady(`${url}/readyz`);
  };
  const gone = async (signal: NodeJS.Signals): Promise<void> => {
    meant = true;
    const exit = new Promise<number | null>((resolve) => child.once('exit', resolve));
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    const code = await exit;
    if (signal === 'SIGTERM' && code !== 0) ended.push(`SIGTERM ended with ${code}`);
  };
  await start();
  return {
    url,
    relay: relay satisfies Relay,
    /** How it ended, each time nobody had ended it. */
    ended,
    alive: () => child.exitCode === null && child.signalCode === null,
    start,
    gone,
    signal: (signal: NodeJS.Signals) => child.kill(signal),
  };
};

const main = async (): Promise<void> => {
  const minutes = values.quick ? 1 : Number(values.minutes);
  const leewaySeconds = Number(values.leeway);
  const only = values.only.split(',') as Kind[];
  const stage = openStage();
  let crowd: Crowd | undefined;
  const relays: Relay[] = [];
  try {
    const redisPort = await freePort();
    stage.redis(['--port', String(redisPort)]);
    crowd = await openCrowd(stage, {
      ...{ redisUrl: `redis://127.0.0.1:${redisPort}`, origin: 'http://localhost:1', instances: 3 },
      ...{ leewaySeconds, accessTokenSeconds: 4 },
    });
    const here = crowd;
    const members = await here.members(values.quick ? 40 : Number(values.sessions));
    const gateways = await Promise.all(
      [1, 2, 3].map(async () => startGateway(stage, here, redisPort)),
    );
    relays.push(...gateways.map(({ relay }) => relay));

    const statuses = new Map<number, number>();
    const lostWhen: string[] = [];
    const counts = { refreshes: 0, spentTwice: 0, wrongUser: 0, lost: 0, signedOut: 0, stillIn: 0 };
    const troubles: Record<Kind, number> = { tabs: 0, kill: 0, stop: 0, cut: 0, restart: 0 };
    let last = 'nothing yet';
    const leaving = new Set<Member>();

    const call = async ({ sub, cookie }: Member, url: string): Promise<number> => {
      const headers = { cookie, 'sec-fetch-site': 'same-origin' };
      const signal = AbortSignal.timeout(untilMs);
      const answer = await fetch(url + methods, { headers, signal }).catch(() => undefined);
      const text = (await answer?.text().catch(() => '')) ?? '';
      const status = answer?.status ?? 0;
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (status === 200 && !text.includes(JSON.stringify(sub).slice(1, -1))) counts.wrongUser += 1;
      return status;
    };
    const audit = async (): Promise<void> => {
      for (const { status, parameters } of await here.audit()) {
        if (parameters?.['grant_type'] !== 'refresh_token') continue;
        counts.refreshes += 1;
        if (status === 403) counts.spentTwice += 1;
      }
    };
    await audit();

    const until = performance.now() + minutes * 60_000;
    const over = (): boolean => performance.now() > until;
    const any = <T>(list: readonly T[]): T => list[randomInt(list.length)] as T;
    const using = Array.from({ length: workers }, async () => {
      while (!over()) {
        const member = any(members);
        if (leaving.has(member)) continue;
        const status = await call(member, any(gateways).url);
        if (status === 401 && !leaving.has(member)) {
          counts.lost += 1;
          lostWhen.push(last);
          members.splice(members.indexOf(member), 1, await here.begin(member));
        }
        await sleep(20);
      }
    });

    // Two tabs, each at a gateway of its own, both with the event stream open: what ended a gateway once.
    const signOut = async (): Promise<void> => {
      const member = any(members);
      leaving.add(member);
      const [one, two] = [any(gateways), any(gateways)];
      const end = new AbortController();
      const headers = { cookie: member.cookie, 'sec-fetch-site': 'same-origin' };
      const streams = [one, two].map(async ({ url }) => {
        const answer = await fetch(`${url}/auth/events`, { headers, signal: end.signal }).catch(
          () => undefined,
        );
        void answer?.text().catch(() => undefined);
      });
      await Promise.race([Promise.all(streams), sleep(2_000)]);
      const leave = async (url: string): Promise<number> =>
        fetch(`${url}/auth/logout`, {
          method: 'POST',
          headers,
          redirect: 'manual',
          signal: AbortSignal.timeout(untilMs),
        }).then(
          ({ status }) => status,
          () => 0,
        );
      const answers = await Promise.all([leave(one.url), leave(two.url)]);
      end.abort();
      const done = answers.some((status) => status > 0 && status < 400);
      if (done) {
        counts.signedOut += 1;
        if ((await call(member, any(gateways).url)) === 200) counts.stillIn += 1;
      }
      members.splice(members.indexOf(member), 1, await here.begin(member));
      leaving.delete(member);
    };
    const trouble: Record<Kind, () => Promise<void>> = {
      async kill() {
        const gateway = any(gateways);
        await gateway.gone('SIGKILL');
        await sleep(500);
        await gateway.start();
      },
      async stop() {
        const gateway = any(gateways);
        gateway.signal('SIGSTOP');
        await sleep(5_500 + randomInt(3_000));
        gateway.signal('SIGCONT');
      },
      async cut() {
        const { relay } = any(gateways);
        relay.cut();
        await sleep(5_500 + randomInt(3_000));
        relay.mend();
      },
      async restart() {
        for (const gateway of gateways) {
          await gateway.gone('SIGTERM');
          await gateway.start();
        }
      },
      async tabs() {
        for (let i = 0; i < 8; i += 1) await signOut();
      },
    };
    const troubling = (async () => {
      for (let i = 0; !over(); i += 1) {
        await sleep(1_500);
        const kind = only[i % only.length] as Kind;
        last = kind;
        troubles[kind] += 1;
        await trouble[kind]();
        // What ended by itself is told, and started again.
        for (const gateway of gateways) if (!gateway.alive()) await gateway.start();
        await audit();
      }
    })();
    await Promise.all([...using, troubling]);
    say('looking at every session');
    await eachOf(members, 8, async (member) => {
      let status = 0;
      for (let attempt = 0; attempt < 20 && status !== 200 && status !== 401; attempt += 1) {
        status = await call(member, any(gateways).url);
        if (status !== 200 && status !== 401) await sleep(500);
      }
      if (status === 200) return;
      counts.lost += 1;
      lostWhen.push(`at the end: ${status}`);
    });
    await audit();
    const ended = gateways.flatMap((gateway) => gateway.ended);
    const tally = Object.fromEntries(
      [...new Set(lostWhen)].map((kind) => [kind, lostWhen.filter((each) => each === kind).length]),
    );
    const found = {
      minutes,
      leewaySeconds,
      troubles,
      ended,
      ...counts,
      lostAfter: tally,
      statuses: Object.fromEntries(statuses),
    };
    console.log(JSON.stringify(found));
    const bad =
      ended.length +
      counts.spentTwice +
      counts.wrongUser +
      counts.stillIn +
      (leewaySeconds > 0 ? counts.lost : 0);
    if (bad > 0) process.exitCode = 1;
  } finally {
    await crowd?.close();
    stage.end();
    await Promise.all(relays.map(async (relay) => relay.close()));
  }
};

await main();
process.exit();
