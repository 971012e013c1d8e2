import { ProblemError, type Waiting } from '../index.ts';
import { el, icon, byId } from './dom.ts';
import { explain } from './messages.ts';

/**
 * Says what was done; read out by screen readers without taking the focus. An action, where there
 * is one, stands beside it.
 */
export function showStatus(
  text: string,
  action?: { label: string; test: string; run: () => void },
): void {
  byId('error').replaceChildren();
  const button =
    action &&
    el(
      'button',
      { type: 'button', class: 'link', 'data-test': action.test, onclick: action.run },
      action.label,
    );
  byId('status').replaceChildren(
    el(
      'p',
      { class: 'notice good', 'data-test': 'status' },
      icon('check'),
      el('span', {}, text, button && ' ', button),
    ),
  );
}

/** Says what did not happen, in these words; read out at once. */
export function showFailure(text: string): void {
  byId('status').replaceChildren();
  byId('error').replaceChildren(
    el('p', { class: 'notice bad', 'data-test': 'error' }, icon('alert'), el('span', {}, text)),
  );
}

/** Says what failed. What the user themselves gave up is no failure. */
export function showError(error: unknown): void {
  const text = problemText(error);
  if (text === undefined) byId('status').replaceChildren();
  else showFailure(text);
}

/** Takes away what was said before. */
export function clearNotices(): void {
  byId('status').replaceChildren();
  byId('error').replaceChildren();
}

/** What to say of a failure, or undefined where the user chose not to go on. */
export function problemText(error: unknown): string | undefined {
  if (error instanceof ProblemError && error.code === 'step_up_declined') return undefined;
  if (error instanceof DOMException && error.name === 'AbortError') return undefined;
  return explain(error);
}

const why: Record<string, string> = {
  rate_limited: 'Each account may only do so much a minute',
  tenant_busy: 'Many people are here right now',
  store_unavailable: 'The service is coming back',
};

let shown:
  { from: number; bar: HTMLProgressElement; count: HTMLElement; box: HTMLElement } | undefined;

/** Takes the countdown away. */
export function hideWaiting(): void {
  shown?.box.remove();
  shown = undefined;
}

/**
 * The countdown while a call waits for its turn. It stands in the open dialog, where there is one,
 * since nothing outside it is reachable. Screen readers hear the length once; the seconds are for
 * the eye.
 */
export function showWaiting({ secondsLeft, code }: Waiting): void {
  if (secondsLeft === 0) {
    hideWaiting();
    return;
  }
  if (!shown) {
    const bar = el('progress', { max: String(secondsLeft), 'aria-hidden': 'true' });
    const count = el('b', { 'aria-hidden': 'true', 'data-test': 'seconds-left' });
    const text = el(
      'span',
      {},
      `${why[code] ?? 'It is not your turn yet'}. Going on by itself in `,
      count,
      el('span', { class: 'unseen' }, `${secondsLeft} seconds`),
    );
    const box = el(
      'div',
      { class: 'waiting', role: 'status', 'data-test': 'waiting' },
      icon('clock'),
      el('p', {}, text),
      bar,
    );
    ([...document.querySelectorAll('dialog[open]')].at(-1) ?? document.body).append(box);
    shown = { from: secondsLeft, bar, count, box };
  }
  shown.count.textContent = `${secondsLeft} s`;
  shown.bar.value = shown.from - secondsLeft;
}
