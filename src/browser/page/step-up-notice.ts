import type { StepUpAsked } from '../index.ts';
import { ask } from './ask.ts';
import { el } from './dom.ts';
import { purposes } from './words.ts';

/** Says why, before the page is left to confirm who the user is; false when they would rather stay. */
export function stepUpNotice({ operation, resumes }: StepUpAsked): Promise<boolean> {
  const purpose = purposes[operation] ?? 'do this';
  return ask({
    title: 'First, confirm it is you',
    test: 'step-up-notice',
    content: [
      el(
        'p',
        {},
        `To ${purpose} we want to be sure that nobody else sits at your screen. You go to the sign-in page for a moment, confirm with your second step, and come back here.`,
      ),
      el(
        'p',
        { class: 'quiet' },
        resumes
          ? 'We then go on by ourselves with what you asked for.'
          : 'You will have to begin again afterwards: what you typed in is never stored.',
      ),
    ],
    submit: { label: 'Continue', test: 'continue-step-up' },
    cancel: 'Not now',
    run: () => Promise.resolve(),
  });
}
