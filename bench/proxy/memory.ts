import { doubts, judge, type Finding } from './judge.ts';
import { names } from './reads.ts';
import { against, of, takeTurns, type Pace, type Turn } from './rounds.ts';
import { path, type Arrangement, type Scene } from './scene.ts';

/** Reads that never reach the upstream: answered from what is kept, or joined to one under way. */
export const fromMemory = async (scene: Scene, bare: Arrangement, ours: Arrangement, pace: Pace): Promise<Finding[]> => {
  const one = { pids: ours.pids, job: { port: ours.port, path, cookies: ours.cookies } };
  const turns: Turn[] = [
    { name: names.bare, pids: bare.pids, job: { port: bare.port, path, cookies: [] } },
    { ...one, name: 'kept' },
    // One person whose tabs all ask anew at once: what is under way is shared.
    { ...one, name: 'joined', job: { ...one.job, cookies: ours.cookies.slice(0, 1), headers: { 'cache-control': 'no-cache' } } },
  ];
  const found = await takeTurns(scene, turns, pace);
  return (['kept', 'joined'] as const).map((name) => {
    const rounds = found.get(name) ?? [];
    const [good, upstream, failed] = [
      rounds.map((each) => each.good),
      rounds.map((each) => each.upstream),
      rounds.map((each) => each.failed),
    ].map((list) => list.reduce((a, b) => a + b, 0));
    const share = (((upstream ?? 0) / Math.max(1, good ?? 0)) * 100).toFixed(1);
    const how = `${of(found, name, ({ perSecond }) => perSecond).toFixed(0)} a second, ${of(found, name, ({ cpu }) => cpu).toFixed(0)} us each; ${share} % went upstream; errors ${failed}`;
    const unsure = [names.bare, name].flatMap((each) => doubts(found.get(each) ?? [], true, each));
    const what = name === 'kept' ? 'read answered from memory, throughput / bare' : 'read joined, throughput / bare';
    return judge(
      what,
      against(found, name, names.bare, ({ perSecond }) => perSecond),
      { least: 0.8, stretch: 1.5 },
      how,
      unsure,
    );
  });
};
