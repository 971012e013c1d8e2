import type { Session } from '../index.ts';
import { el, icon, place } from './dom.ts';
import { stretch, timeAgo } from './when.ts';

/** Below this many seconds the end is announced. */
const soon = 120;

interface Parts {
  staySignedIn: () => Promise<void>;
  ended: () => void;
}

/** How long the session lasts, counted down here: asking the gateway again would tell the same. Answers how to stop. */
export function showSession(session: Session, { staySignedIn, ended }: Parts): () => void {
  const told = Date.now();
  const since = (seconds: number): number => seconds - (Date.now() - told) / 1000;
  const idle = el('dd', { 'data-test': 'idle-left' });
  const total = el('dd', { 'data-test': 'session-left' });
  const confirmed = el('dd', { 'data-test': 'step-up-left' });
  const confirmedRow = el('div', {}, el('dt', {}, 'Confirmed it is you'), confirmed);
  const stay = (): HTMLElement =>
    el('button', { type: 'button', 'data-test': 'stay-signed-in', onclick: () => void staySignedIn() }, 'Stay signed in');

  place('session').replaceChildren(
    el(
      'dl',
      { class: 'times' },
      session.authenticatedAt !== undefined &&
        el('div', {}, el('dt', {}, 'Signed in'), el('dd', {}, timeAgo(new Date(session.authenticatedAt * 1000)))),
      session.idleExpiresIn !== undefined && el('div', {}, el('dt', {}, 'Ends unused after'), idle),
      session.expiresIn !== undefined && el('div', {}, el('dt', {}, 'Ends at the latest in'), total),
      confirmedRow,
    ),
    stay(),
  );
  place('ending').replaceChildren();

  let warned: HTMLElement | undefined;
  const tick = (): void => {
    const left = since(Math.min(session.idleExpiresIn ?? Infinity, session.expiresIn ?? Infinity));
    // Coarse while there is time, so that the text stands still.
    const coarse = (seconds: number): string =>
      stretch(seconds > 3600 ? Math.floor(seconds / 60) * 60 : seconds > soon ? Math.ceil(seconds / 60) * 60 : seconds);
    if (session.idleExpiresIn !== undefined) idle.textContent = coarse(since(session.idleExpiresIn));
    if (session.expiresIn !== undefined) total.textContent = coarse(since(session.expiresIn));
    const fresh = since(session.stepUpFreshFor ?? 0);
    confirmedRow.hidden = fresh <= 0;
    confirmed.textContent = `counts for another ${coarse(fresh)}`;
    if (left <= soon && left > 0) {
      if (!warned) {
        warned = el('b', { 'aria-hidden': 'true' });
        const text = el('span', {}, 'You will be signed out in ', warned, el('span', { class: 'unseen' }, 'two minutes'), '. ', stay());
        place('ending').replaceChildren(el('p', { class: 'notice warn', 'data-test': 'ending' }, icon('clock'), text));
      }
      warned.textContent = stretch(left);
    }
    if (left <= 0) {
      clearInterval(timer);
      ended();
    }
  };
  const timer = setInterval(tick, 1000);
  tick();
  return () => {
    clearInterval(timer);
  };
}
