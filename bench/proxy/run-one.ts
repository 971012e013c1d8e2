// node bench/proxy/run-one.ts [--profile] [--rounds N] [--seconds N] [--only ours,usual] [--path PATH --kept]: in half a minute, what a proxied read costs the
// gateway and what it costs a bare proxy. With --profile the gateway runs under --cpu-prof meanwhile, and the functions with the most time of their own are printed.
import { parseArgs } from 'node:util';
import { median, measure, type Round } from './measure.ts';
import { printProfile, profileClock } from './profile.ts';
import { warmRequests } from './rounds.ts';
import { answerLength, openScene, path, type Arrangement } from './scene.ts';
import { seedOurs, seedUsual } from './seed.ts';

const { values } = parseArgs({
  options: {
    profile: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '2' },
    only: { type: 'string', default: 'ours' },
    path: { type: 'string', default: path },
    kept: { type: 'boolean', default: false },
    connections: { type: 'string', default: '32' },
  },
});

const scene = await openScene();
try {
  const only = values.only.split(',');
  const bare = await scene.server('bare');
  const running: Arrangement[] = [{ name: 'bare', port: bare.port, pids: [bare.pid], cookies: [] }];
  if (only.includes('usual')) {
    const { port, pid } = await scene.server('usual');
    running.push({ name: 'usual', port, pids: [pid], cookies: await seedUsual(scene.redisUrl, 64) });
  }
  const flags = values.profile ? ['--cpu-prof', `--cpu-prof-dir=${scene.folder}`] : [];
  const gateway = only.includes('ours') ? await scene.gateway({ flags }) : undefined;
  if (gateway !== undefined) {
    running.push({ name: 'gateway', port: gateway.port, pids: [gateway.pid], cookies: await seedOurs(scene.redisUrl, scene.upstream, 64) });
  }
  const found = new Map<string, Round[]>(running.map(({ name }) => [name, []]));
  const job = { path: values.path, unique: !values.kept, connections: Number(values.connections), length: answerLength };
  let since = 0;
  for (let round = 0; round <= Number(values.rounds); round += 1) {
    if (round === 1) since = profileClock();
    for (const { name, port, pids, cookies } of running) {
      const one = await measure(scene.around, pids, {
        ...job,
        port,
        cookies,
        seconds: Number(values.seconds),
        ...(round === 0 && { seconds: 10, atMost: warmRequests, connections: 32 }),
      });
      if (round > 0) found.get(name)?.push(one);
    }
  }
  const yard = found.get('bare') ?? [];
  for (const [name, rounds] of found) {
    const of = (what: (one: Round) => number): string => median(rounds.map(what)).toFixed(2);
    const against = (what: (one: Round) => number): string => median(rounds.map((one, i) => what(one) / what(yard[i] ?? one))).toFixed(2);
    console.log(
      `${name.padEnd(8)} cpu/request ${of(({ cpu }) => cpu)} us (x ${against(({ cpu }) => cpu)})  per second ${of((one) => one.perSecond)} (x ${against((one) => one.perSecond)})` +
        `  p50 ${of(({ p50 }) => p50)} ms (x ${against(({ p50 }) => p50)})  p99 ${of(({ p99 }) => p99)} ms (x ${against(({ p99 }) => p99)})\n` +
        `         busy: measured ${of(({ shares }) => shares.measured)} load ${of(({ shares }) => shares.load)} upstream ${of(({ shares }) => shares.upstream)} redis ${of(({ shares }) => shares.redis)} others ${of(({ others }) => others)}` +
        `  answered ${rounds.reduce((sum, { good }) => sum + good, 0)}, upstream saw ${rounds.reduce((sum, { upstream }) => sum + upstream, 0)}, failed ${rounds.reduce((sum, { failed }) => sum + failed, 0)}` +
        ` ${JSON.stringify(rounds.map(({ statuses }) => statuses))}`,
    );
  }
  if (gateway !== undefined && values.profile) {
    const ended = new Promise((resolve) => gateway.child.once('exit', resolve));
    gateway.child.kill('SIGTERM');
    await ended;
    const answers = (found.get('gateway') ?? []).reduce((sum, { good }) => sum + good, 0);
    printProfile(scene.folder, since, answers, (line) => console.log(line));
  }
} finally {
  scene.end();
}
