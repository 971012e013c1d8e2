import type { StepUpAsked, StepUpChoice } from '../index.ts';
import { ask } from './ask.ts';
import { el } from './dom.ts';
import { purposes } from './words.ts';

/**
 * Says why, before the user is asked to confirm who they are; false when they would rather not.
 * What was typed in is never stored, so where leaving the page would lose it, a window opens in its
 * place.
 */
export async function stepUpNotice({ operation, resumes }: StepUpAsked): Promise<StepUpChoice> {
  const way = resumes
    ? 'You go to the sign-in page for a moment, confirm with your second step, and come back here. We then go on by ourselves with what you asked for.'
    : 'A window opens in which you confirm with your second step. This page stays as it is and goes on afterwards.';
  const goes = await ask({
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
