// A gateway as `start` makes it, in a process that its test speaks with: a throw can be planted in each of its listeners and timers.
import { plant } from './plant.ts';

const planted = plant();
const [{ createGateway }, { serve }, { catchUnforeseen }] = await Promise.all([
  import('../../src/gateway/index.ts'),
  import('../../src/gateway/serve.ts'),
  import('../../src/gateway/http/unforeseen.ts'),
]);
const gateway = createGateway(process.env);
void catchUnforeseen(gateway);
const { adminPort } = await serve(gateway);

process.on('message', ({ arm, fire }: { arm?: string[]; fire?: true }) => {
  if (arm !== undefined) planted.arm(arm);
  if (fire === true) planted.fireTimers();
  process.send?.({ reached: [...planted.reached], threw: [...planted.threw] });
});
process.send?.({ adminPort });
