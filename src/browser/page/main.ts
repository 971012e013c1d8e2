import { ProblemError, type Session } from '../index.ts';
import { showAccounts } from './accounts.ts';
import { showAdd } from './add.ts';
import { closeDialogs } from './ask.ts';
import { showBudget, trueFor } from './budget.ts';
import { whileBusy } from './busy.ts';
import { el, icon, place } from './dom.ts';
import { hear } from './hear.ts';
import { createMethods } from './methods.ts';
import { fail, hideWaiting, hush } from './notice.ts';
import { showProfile, showWho } from './profile.ts';
import { showSession } from './session-card.ts';
import { createSessions } from './sessions.ts';
import { createView } from './view.ts';
import { createWatch } from './watch.ts';
import { explain } from './words.ts';

const farewells = {
  ended: 'Your session has ended. Sign in to go on where you were.',
  left: 'You are signed out.',
};

/** The same for all sessions of one user; a gateway that tells no handle tells at least who it is. */
const userOf = ({ userHandle, user }: Session): string => userHandle ?? user.sub;

const watch = createWatch({
  reopen: () => void open(),
  recheck: () => void recheck(),
  ended: () => {
    signedOut('ended');
  },
  userChanged: () => void userChanged(),
});
let view = createView(watch.fetch);
let stopClock = (): void => undefined;
let stopHearing = (): void => undefined;

/**
 * Puts one of index.html's templates in place of everything else: what was shown before, dialogs
 * too, leaves the document for good.
 */
function show(name: 'loading' | 'signed-out' | 'failed' | 'account' | 'changed'): void {
  stopClock();
  stopHearing();
  closeDialogs();
  hideWaiting();
  const template = place(name);
  if (!(template instanceof HTMLTemplateElement)) throw new Error(`#${name} is no template`);
  place('view').replaceChildren(template.content.cloneNode(true));
  place('view').ariaBusy = String(name === 'loading');
  if (name !== 'account') showWho(undefined, signOut);
}

/** Ends the view there is and shows another in its place. */
function turnTo(name: Parameters<typeof show>[0]): void {
  view.end();
  view = createView(watch.fetch);
  show(name);
}

const onClick = (test: string, run: () => void): void => {
  document.querySelector(`[data-test="${test}"]`)?.addEventListener('click', run);
};

function signOut(): void {
  // First nothing private is left on the page, then the page is left: the browser may keep it as it
  // is for the back button.
  const { client } = view;
  turnTo('loading');
  sessionStorage.clear();
  watch.tellOthers();
  client.logout();
}

function signedOut(why?: keyof typeof farewells): void {
  turnTo('signed-out');
  onClick('sign-in', () => {
    view.client.login();
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
  turnTo('failed');
  place('failed-why').textContent = explain(error);
  place('failed-title').focus();
  onClick('retry', () => void open());
}

/** Says that somebody else is signed in here by now; nothing of the former user stays. */
async function userChanged(): Promise<void> {
  turnTo('changed');
  sessionStorage.clear();
  place('changed-title').focus();
  onClick('show-account', () => void open());
  try {
    const session = await view.client.session();
    if (session) place('changed-who').textContent = session.user.email ?? session.user.name ?? '';
    else signedOut();
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
  }
}

function showTimes(session: Session): void {
  stopClock();
  showBudget(session.quota);
  const staySignedIn = async (): Promise<void> => {
    const extended = await view.client.staySignedIn().catch((error: unknown) => {
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

/** Asks again who is signed in and how much is left; a passing failure changes nothing. */
async function recheck(): Promise<void> {
  if (view.user === undefined) return;
  try {
    const session = await view.client.session();
    if (!session) signedOut('ended');
    else if (userOf(session) !== view.user) await userChanged();
    else showTimes(session);
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
  }
}

async function account(session: Session): Promise<void> {
  const { client } = view;
  show('account');
  view.user = userOf(session);
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
  turnTo('loading');
  try {
    const session = await view.client.session();
    if (session) await account(session);
    else signedOut();
  } catch (error) {
    failed(error);
  }
}

void open();
