import { createClient, type Client } from '../index.ts';
import { showWaiting } from './notice.ts';
import { stepUpNotice } from './step-up-notice.ts';

/** What is on the page from when it is shown until something else takes its place. */
export interface View {
  /** The client of this view alone: what comes late for a view that has ended is dropped. */
  readonly client: Client;
  /** Whose account is shown; undefined while none is. */
  user: string | undefined;
  end(): void;
}

/** Never resolves: whoever waits for it is forgotten together with what they would have shown. */
const never = new Promise<never>(() => undefined);

/** Makes a view whose client fetches by `fetcher`. */
export function createView(fetcher: typeof fetch): View {
  let alive = true;
  const whileAlive = async <T>(work: Promise<T>): Promise<T> => {
    try {
      const result = await work;
      return await (alive ? result : never);
    } catch (error) {
      if (alive) throw error;
      return never;
    }
  };
  return {
    client: createClient({
      fetch: (...request) => (alive ? whileAlive(fetcher(...request)) : never),
      onStepUp: (asked) => whileAlive(stepUpNotice(asked)),
      onWait(waiting) {
        if (alive) showWaiting(waiting);
      },
    }),
    user: undefined,
    end() {
      alive = false;
    },
  };
}
