import { createClient, ProblemError, type Session } from '../index.ts';
import { showAccounts } from './accounts.ts';
import { showAdd } from './add.ts';
import { showBudget, trueFor } from './budget.ts';
import { whileBusy } from './busy.ts';
import { el, icon, place } from './dom.ts';
import { hear } from './hear.ts';
import { createMethods } from './methods.ts';
import { fail, hush, showWaiting } from './notice.ts';
import { showProfile, showWho } from './profile.ts';
import { showSession } from './session-card.ts';
import { createSessions } from './sessions.ts';
import { stepUpNotice } from './step-up-notice.ts';
import { createWatch } from './watch.ts';
import { explain } from './words.ts';

const farewells = {
  ended: 'Your session has ended. Sign in to go on where you were.',
  left: 'You are signed out.',
};

let stopClock = (): void => undefined;
let stopHearing = (): void => undefined;

/**
 * Puts one of index.html's templates in place of everything else: what was shown before, dialogs
 * too, leaves the document for good.
 */
function show(view: 'loading' | 'signed-out' | 'failed' | 'account'): void {
  stopClock();
  stopHearing();
  for (const dialog of document.querySelectorAll('dialog')) dialog.close();
  const template = place(view);
  if (!(template instanceof HTMLTemplateElement)) throw new Error(`#${view} is no template`);
  place('view').replaceChildren(template.content.cloneNode(true));
  place('view').ariaBusy = String(view === 'loading');
  if (view !== 'account') showWho(undefined, signOut);
}

const onClick = (test: string, run: () => void): void => {
  document.querySelector(`[data-test="${test}"]`)?.addEventListener('click', run);
};

function signOut(): void {
  // First nothing private is left on the page, then the page is left: the browser may keep it as it
  // is for the back button.
  show('loading');
  sessionStorage.clear();
  watch.tellOthers();
  client.logout();
}

function signedOut(why?: keyof typeof farewells): void {
  show('signed-out');
  onClick('sign-in', () => {
    client.login();
  });
  if (why === undefined) return;
  place('farewell').append(
    el(
      'p',
      { class: 'notice plain', 'data-test': 'farewell' },
      icon('clock'),
      el('span', {}, farewells[why]),
    ),
  );
  place('welcome').focus();
}

function failed(error: unknown): void {
  show('failed');
  place('failed-why').textContent = explain(error);
  place('failed-title').focus();
  onClick('retry', () => void open());
}

function showTimes(session: Session): void {
  stopClock();
  showBudget(session.quota);
  const staySignedIn = async (): Promise<void> => {
    const extended = await client.staySignedIn().catch((error: unknown) => {
      fail(error);
      return session;
    });
    if (extended) showTimes(extended);
    else signedOut('ended');
  };
  const stopCountdown = showSession(session, { staySignedIn, ended: () => void recheck() });
  const seconds = trueFor(session.quota);
  const again =
    seconds === undefined ? undefined : setTimeout(() => void recheck(), seconds * 1000);
  stopClock = () => {
    stopCountdown();
    clearTimeout(again);
  };
}

/**
 * Asks again who is signed in and how much is left; a passing failure changes nothing on the page.
 */
async function recheck(): Promise<void> {
  if (!document.querySelector('[data-test="account"]')) return;
  try {
    const session = await client.session();
    if (!session) signedOut('ended');
    else if (document.getElementById('session')) showTimes(session);
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
  }
}

async function account(session: Session): Promise<void> {
  show('account');
  showWho(session.user, signOut);
  showProfile(session.user);
  showTimes(session);
  const sessions = createSessions(client);
  const methods = createMethods(client, sessions.factorChanged);
  const reload = document.querySelector<HTMLButtonElement>('[data-test="reload"]');
  reload?.addEventListener('click', () => {
    hush();
    void whileBusy(reload, () => methods.load(true));
  });
  showAccounts(client, session);
  stopHearing = hear({
    recheck: () => void recheck(),
    methodsChanged: () => {
      if (!watch.changedHere()) void methods.load();
    },
  });
  void sessions.load();
  // What the user was sent away for comes before anything that only looks: both draw on the same
  // few calls a minute.
  const resumed = await client.resume();
  // An enrolment stands before the list and ends in what the list shows then: read now, it would
  // have to be read again.
  if (resumed) await methods.carryOn(resumed);
  await methods.load();
  await showAdd(client, methods);
}

async function open(): Promise<void> {
  show('loading');
  try {
    const session = await client.session();
    if (session) await account(session);
    else signedOut();
  } catch (error) {
    failed(error);
  }
}

const watch = createWatch({
  reopen: () => void open(),
  recheck: () => void recheck(),
  ended: () => {
    signedOut('ended');
  },
});
const client = createClient({ fetch: watch.fetch, onStepUp: stepUpNotice, onWait: showWaiting });
void open();
