import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { Bench, Table } from '../table.ts';
import { flood, redisCalls } from './flood.ts';
import { columns, type Finding } from './measure.ts';
import { fromMemory, latencies, names, proxiedReads, twoGateways } from './reads.ts';
import { openScene, path, type Arrangement, type Scene } from './scene.ts';
import { builtProgram, isBuilt, logins, starting, type Door } from './starting.ts';
import {
  application,
  hasApache,
  openTenant,
  seedOurs,
  seedUsual,
  signIn,
  startApache,
} from './tenant.ts';

const root = join(import.meta.dirname, '../..');
const people = 64;

/** Starts everybody who is measured; those that have a sign-in of their own are signed in at for real. */
const openArrangements = async (scene: Scene, quick: boolean) => {
  const tenant = await openTenant(scene);
  const bare = await scene.server('bare');
  const usual = await scene.server('usual');
  const eoc = await scene.server('eoc', { TENANT: tenant.url });
  const ours = await scene.gateway();
  const built = quick || !isBuilt() ? undefined : await scene.gateway({ program: builtProgram });
  const apache = hasApache ? await startApache(scene, tenant.url) : undefined;
  const door = await scene.gateway({
    env: {
      AUTH0_DOMAIN: tenant.url,
      AUTH0_CLIENT_ID: application.id,
      AUTH0_CLIENT_SECRET: application.secret,
    },
  });
  const origin = (port: number): string => `http://localhost:${port}`;
  await tenant.callbacks([
    `${origin(door.port)}/auth/callback`,
    `${origin(eoc.port)}/callback`,
    ...(apache === undefined ? [] : [`${origin(apache.port)}/callback`]),
  ]);
  const few = quick ? 8 : 32;
  const cookies = await seedOurs(scene.redisUrl, scene.upstream, people);
  const at = (
    name: string,
    { port, pid }: { port: number; pid: number },
    known: readonly string[],
  ): Arrangement => ({
    name,
    port,
    pids: [pid],
    cookies: known,
  });
  const running = [
    at(names.bare, bare, []),
    at(names.ours, ours, cookies),
    ...(built === undefined ? [] : [at(names.built, built, cookies)]),
    at(names.usual, usual, await seedUsual(scene.redisUrl, people)),
    at(names.eoc, eoc, await signIn(tenant, origin(eoc.port), path, few)),
    ...(apache === undefined
      ? []
      : [at(names.apache, apache, await signIn(tenant, origin(apache.port), path, few))]),
  ];
  const doors: Door[] = [
    {
      name: names.ours,
      origin: origin(door.port),
      pid: door.pid,
      start: '/auth/login?returnTo=/auth/profile',
    },
    { name: names.eoc, origin: origin(eoc.port), pid: eoc.pid, start: '/home' },
    ...(apache === undefined
      ? []
      : [{ name: names.apache, origin: origin(apache.port), pid: apache.pid, start: '/home' }]),
  ];
  return { tenant, running, doors };
};

/** What the gateway costs, in its default configuration with everything on, beside a bare Node proxy and beside what others put in its place, in one run. */
export const proxy: Bench = async ({ quick, say }) => {
  const scene = await openScene();
  try {
    if (!quick) {
      say('building');
      execFileSync(process.execPath, ['scripts/build.ts'], { cwd: root, stdio: 'ignore' });
    }
    say('starting, and signing in');
    const { tenant, running, doors } = await openArrangements(scene, quick);
    const [bare, ours] = running;
    if (bare === undefined || ours === undefined) throw new Error('nothing to measure');
    const pace = (rounds: number, seconds: number) =>
      quick ? { rounds: 1, seconds: 0.7, warm: 0.3 } : { rounds, seconds, warm: 10 };
    say('proxied reads');
    // A shared machine changes its speed within seconds, and a bare proxy gains more by a fast one than whoever does more: short rounds, so that all of one round
    // meet the same, and many.
    const reads = await proxiedReads(scene, running, pace(21, 1));
    const findings: Finding[] = [
      ...reads.findings,
      ...(await latencies(scene, running, pace(15, 1), say)),
    ];
    say('reads from memory');
    findings.push(...(await fromMemory(scene, bare, ours, pace(11, 1))));
    say('a flood');
    findings.push(...(await flood(scene, bare, pace(5, 2))));
    say('calls to Redis');
    findings.push(...(await redisCalls(scene, quick ? 1 : 4)));
    say('logins');
    const signedIn = await logins(tenant, doors, quick ? 1 : 5, quick ? 5 : 30);
    findings.push(...signedIn.findings);
    say('two gateways');
    findings.push(...(await twoGateways(scene, pace(5, 3))));
    say('starts');
    findings.push(...(await starting(scene, quick ? 1 : 7)));
    const missing = hasApache
      ? []
      : [
          [
            names.apache,
            ...reads.table.columns.slice(1).map((_, i) => (i === 0 ? 'not installed here' : '')),
          ],
        ];
    const targets: Table = {
      title: 'What the gateway costs, beside its targets',
      about: `The gateway as \`npm start\` runs it, in its default configuration with a Redis (sealed sessions, budget, checks, logs, metrics, answers kept for 30 s); only the numbers of the budget are raised, so that it is asked and admits everything. What is measured runs on one core; load, upstream and Redis on another. Ratios are medians over alternating rounds of one run${quick ? ' (the quick form: one short round, to see that all of it runs)' : ''}. Stored bytes per session: see the sessions benchmark.`,
      columns: [...columns],
      rows: findings,
    };
    return [targets, { ...reads.table, rows: [...reads.table.rows, ...missing] }, signedIn.table];
  } finally {
    scene.end();
  }
};
