import type { OperationName } from './api.ts';
import { resumable } from './operations.ts';
import { marker, type Action, type createPending } from './pending.ts';
import { ProblemError } from './problem.ts';

/**
 * A step-up the gateway asks for: which operation, and the gateway's own words (`problem.reason`,
 * `problem.scope`).
 */
export interface StepUpAsked {
  operation: OperationName;
  problem: ProblemError;
  /**
   * False when the action carries a secret and is not kept: after leaving the page the user has to
   * begin it again. A popup spares them that.
   */
  resumes: boolean;
}

/**
 * Whether to go: true leaves the page and comes back, `'popup'` keeps it and opens a window, false
 * stays.
 */
export type StepUpChoice = boolean | 'popup';

/** Whose page this is: the subject, and the handle by which the gateway knows them. */
export interface PageUser {
  sub?: string | undefined;
  handle?: string | undefined;
}

interface StepUpParts {
  here: () => string;
  navigate: (url: string) => void;
  popup: (url: string) => Promise<boolean>;
  showUrl: (url: string) => void;
  pending: ReturnType<typeof createPending>;
  authUrl: string;
  ask: ((asked: StepUpAsked) => StepUpChoice | Promise<StepUpChoice>) | undefined;
}

/**
 * The way to the step-up and back: an action is kept, the page is left, and on return the action is
 * handed over once.
 */
export function createStepUp({
  here,
  navigate,
  popup,
  showUrl,
  pending,
  authUrl,
  ask,
}: StepUpParts) {
  /**
   * The address with `returnTo` set; refused when it is not of this origin, since a session must
   * not be confirmed elsewhere.
   */
  const withReturn = (to: string, back: string, handle?: string): string => {
    const url = new URL(to, here());
    const target = new URL(back, here());
    if (url.origin !== new URL(here()).origin)
      throw new TypeError(`not an address of this origin: ${url.origin}`);
    url.searchParams.set('returnTo', target.pathname + target.search + target.hash);
    if (handle !== undefined) url.searchParams.set('user', handle);
    return url.href;
  };

  return {
    withReturn,
    /**
     * Leaves the page, so it answers never; after a popup it answers, and the action is to be tried
     * again. Throws `step_up_declined`.
     */
    async go(action: Action, { sub, handle }: PageUser, problem: ProblemError): Promise<void> {
      const address =
        problem.stepUpUrl ??
        `${authUrl}/step-up?scope=${encodeURIComponent((problem.scope ?? []).join(' '))}`;
      const plain = new URL(withReturn(address, here(), handle)); // An address that is refused is refused before anything is kept.
      const choice =
        (await ask?.({
          operation: action.operation,
          problem,
          resumes: resumable.has(action.operation),
        })) ?? true;
      if (choice === false) {
        const said = {
          status: 403,
          code: 'step_up_declined',
          title: 'Not confirmed',
          detail: 'Nothing was changed.',
        };
        throw new ProblemError(said, { cause: problem });
      }
      if (choice === 'popup') {
        plain.searchParams.set('display', 'popup');
        if (await popup(plain.href)) return;
      }
      const id = pending.keep(action, sub);
      const back = new URL(here());
      if (id !== undefined) back.searchParams.set(marker, id);
      navigate(withReturn(address, back.href, handle));
      await new Promise<never>(() => undefined);
    },
    /**
     * The action this page load is the return for, if it is one; the marker goes from the address
     * bar and the action from the storage.
     */
    back(user: string | undefined): Action | undefined {
      const url = new URL(here());
      const id = url.searchParams.get(marker);
      const action = pending.take(id, user);
      if (id !== null) {
        url.searchParams.delete(marker);
        showUrl(url.href);
      }
      return action;
    },
  };
}
