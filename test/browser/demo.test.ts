import { startProgram } from '../helpers/process.ts';
import { liveThrough, type Stage } from './journey.ts';

interface Ready {
  gateway: string;
  tenant: string;
  admin: string;
  user: Stage['user'];
}

liveThrough('npm run demo', async () => {
  const demo = await startProgram<Ready>(['demo', '--json', '--port', '0'], { LOG_LEVEL: 'debug' });
  const { gateway, admin, user } = demo.ready;
  return {
    origin: gateway,
    user,
    async gather(evidence) {
      // The line that says how to sign in is the one place where the demo user's credentials stand.
      evidence.add('the log', demo.output().replace(/^\{"gateway".*$/m, ''));
      evidence.add('the metrics', await (await fetch(`${admin}/metrics`)).text());
    },
    secrets: () => new Map([['the password', user.password]]),
    async close() {
      await demo.stop();
    },
  };
});
