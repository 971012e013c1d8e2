import type { Session } from '../index.ts';
import { el, icon, byId } from './dom.ts';
import { formatDuration, timeAgo } from './time.ts';

/** Below this many seconds the end is announced. */
const soon = 120;

interface Parts {
  staySignedIn: () => Promise<void>;
  ended: () => void;
}

/** Coarse while there is time, so that the text stands still. */
const coarse = (seconds: number): string => {
  if (seconds > 3600) return formatDuration(Math.floor(seconds / 60) * 60);
  return formatDuration(seconds > soon ? Math.ceil(seconds / 60) * 60 : seconds);
};

const stayButton = (staySignedIn: () => Promise<void>): HTMLElement =>
  el(
    'button',
    { type: 'button', 'data-test': 'stay-signed-in', onclick: () => void staySignedIn() },
    'Stay signed in',
  );

/**
 * The warning near the end: read out once, counted down for the eye, gone when there is time again.
 */
function warn(left: number, staySignedIn: () => Promise<void>): void {
  const box = byId('ending');
  if (left > soon) box.replaceChildren();
  else if (box.childElementCount === 0) {
    const count = el('b', { 'aria-hidden': 'true' });
    const heard = el('span', { class: 'unseen' }, formatDuration(left));
    const text = el(
      'span',
      {},
      'You will be signed out in ',
      count,
      heard,
      '. ',
      stayButton(staySignedIn),
    );
    box.append(el('p', { class: 'notice warn', 'data-test': 'ending' }, icon('clock'), text));
  }
  const count = box.querySelector('b');
  if (count) count.textContent = formatDuration(left);
}

/**
 * How long the session lasts, counted down here: asking the gateway again would tell the same.
 * Answers how to stop.
 */
export function showSession(session: Session, { staySignedIn, ended }: Parts): () => void {
  const told = Date.now();
  const left = (seconds: number): number => seconds - (Date.now() - told) / 1000;
  const rows: { row: HTMLElement; update: () => void }[] = [];
  const row = (
    title: string,
    test: string,
    seconds: number | null | undefined,
    say: (left: string) => string,
  ): void => {
    if (seconds === undefined || seconds === null || seconds <= 0) return;
    const value = el('dd', { 'data-test': test });
    const line = el('div', {}, el('dt', {}, title), value);
    const update = (): void => {
      line.hidden = left(seconds) <= 0;
      value.textContent = say(coarse(left(seconds)));
    };
    rows.push({ row: line, update });
  };
  row('Ends unused after', 'idle-left', session.idleExpiresIn, (time) => time);
  row('Ends at the latest in', 'session-left', session.expiresIn, (time) => time);
  row(
    'Confirmed it is you',
    'step-up-left',
    session.stepUpFreshFor,
    (time) => `counts for another ${time}`,
  );

  const since = session.authenticatedAt;
  const signedIn =
    since !== undefined &&
    el('div', {}, el('dt', {}, 'Signed in'), el('dd', {}, timeAgo(new Date(since * 1000))));
  const box = byId('session');
  const held = box.contains(document.activeElement);
  const stay = stayButton(staySignedIn);
  box.replaceChildren(
    el('dl', { class: 'times' }, signedIn, ...rows.map((each) => each.row)),
    stay,
  );
  if (held) stay.focus();

  const end = Math.min(session.idleExpiresIn ?? Infinity, session.expiresIn ?? Infinity);
  const tick = (): void => {
    for (const { update } of rows) update();
    warn(left(end), staySignedIn);
    if (left(end) > 0) return;
    clearInterval(timer);
    ended();
  };
  const timer = setInterval(tick, 1000);
  tick();
  return () => {
    clearInterval(timer);
  };
}
