import {
  createClient,
  type Client,
  type Session,
  type StepUpAsked,
  type StepUpChoice,
} from '../index.ts';
import { openDialog } from './dialog.ts';
import { el } from './dom.ts';
import { purposes } from './messages.ts';
import { showWaiting } from './notice.ts';

/** What is on the page from when it is shown until something else takes its place. */
export interface View {
  /** The client of this view alone: what comes late for a view that has ended is dropped. */
  readonly client: Client;
  /** Whose account is shown; undefined while none is. */
  user: string | undefined;
  end(): void;
}

/** Names the user of a session; a gateway that tells no handle tells at least the subject. */
export const userOf = ({ userHandle, user }: Session): string => userHandle ?? user.sub;

/** Never resolves: whoever waits for it is forgotten together with what they would have shown. */
const never = new Promise<never>(() => undefined);

/**
 * Says why, before the user is asked to confirm who they are; false when they would rather not.
 * What was typed in is never stored, so where leaving the page would lose it, a window opens in its
 * place.
 */
async function stepUpNotice({ operation, resumes }: StepUpAsked): Promise<StepUpChoice> {
  const way = resumes
    ? 'You go to the sign-in page for a moment, confirm with your second step, and come back here. We then go on by ourselves with what you asked for.'
    : 'A window opens in which you confirm with your second step. This page stays as it is and goes on afterwards.';
  const goes = await openDialog({
    title: 'First, confirm it is you',
    test: 'step-up-notice',
    content: [
      el(
        'p',
        {},
        `To ${purposes[operation] ?? 'do this'} we want to be sure that nobody else sits at your screen.`,
      ),
      el('p', { class: 'quiet' }, way),
    ],
    submit: { label: 'Continue', test: 'continue-step-up' },
    cancel: 'Not now',
    run: () => Promise.resolve(),
  });
  return goes && (resumes || 'popup');
}

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
