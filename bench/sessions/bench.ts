import type { Bench } from '../table.ts';
import { logouts } from './logouts.ts';
import { soak } from './soak.ts';
import { storage } from './storage.ts';

/** Sessions: what one takes in Redis, how soon Auth0's logouts are answered, and whether any is lost, spent twice or mixed up while Redis fails over and a gateway is killed. */
export const sessions: Bench = async ({ quick, say }) => {
  const stored = await storage();
  const told = await logouts(quick, say);
  const [count, seconds] = quick ? [200, 6] : [10_000, 60];
  const rows = [];
  for (const leeway of quick ? [0] : [30, 0]) rows.push(await soak(count, seconds, leeway, say));
  return [
    stored,
    told,
    {
      title: 'A soak with a failover and a kill',
      about: `${count} sessions, two gateway processes, access tokens living 2 s, ${seconds} s of traffic at random over all sessions; after a third the primary of Redis is killed and a Sentinel replaces it, after two thirds one gateway is killed (SIGKILL) and started again. A request that is answered "try again" or loses its connection is sent again after half a second, as a balancer or a reload does. Afterwards every session is used once more. "To try again" are answers 502 and 503 and broken connections. Without a leeway at the tenant a session whose exchange was under way in the killed gateway must be signed in again: its token is not spent a second time.`,
      columns: [
        'leeway, s',
        'sessions',
        'answered 200',
        'to try again',
        'refreshes',
        'sessions lost',
        'refused by reuse detection',
        'answers for the wrong user',
      ],
      rows,
    },
  ];
};
