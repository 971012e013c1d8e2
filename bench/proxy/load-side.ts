// The process that makes the load, apart so that its processor time can be told from everything else: takes jobs over IPC, one answer each.
import { runLoad, type Job } from './load.ts';

process.on('message', (job: Job) => {
  void runLoad(job).then(
    (outcome) => process.send?.({ outcome }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
process.once('disconnect', () => process.exit());
