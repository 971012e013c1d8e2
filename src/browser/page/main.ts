import { ProblemError, type Session } from '../index.ts';
import { showAccounts } from './accounts.ts';
import { showAdd } from './add.ts';
import { closeDialogs } from './dialog.ts';
import { showBudget, secondsUntilStale } from './budget.ts';
import { el, icon, byId, whileBusy } from './dom.ts';
import { followEvents } from './events.ts';
import { createMethods } from './methods.ts';
import { showError, hideWaiting, clearNotices } from './notice.ts';
import { showProfile, showWho } from './profile.ts';
import { showSession } from './session-card.ts';
import { createSessions } from './sessions.ts';
import { createView, userOf } from './view.ts';
import { createPresence } from './presence.ts';
import { explain } from './messages.ts';

const farewells = {
  ended: 'Your session has ended. Sign in to go on where you were.',
  left: 'You are signed out.',
};

const presence = createPresence({
  reopen: () => void open(),
  recheck: () => void recheck(),
  ended: () => {
    signedOut('ended');
  },
  userChanged: () => void userChanged(),
});
let view = createView(presence.fetch);
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
  const template = byId(name);
  if (!(template instanceof HTMLTemplateElement)) throw new Error(`#${name} is no template`);
  byId('view').replaceChildren(template.content.cloneNode(true));
  byId('view').ariaBusy = String(name === 'loading');
  if (name !== 'account') showWho(undefined, signOut);
}

/** Ends the view there is and shows another in its place. */
function switchTo(name: Parameters<typeof show>[0]): void {
  view.end();
  view = createView(presence.fetch);
  show(name);
}

const onClick = (test: string, run: () => void): void => {
  document.querySelector(`[data-test="${test}"]`)?.addEventListener('click', run);
};

function signOut(): void {
  // First nothing private is left on the page, then the page is left: the browser may keep it as it
  // is for the back button.
  const { client } = view;
  switchTo('loading');
  sessionStorage.clear();
  presence.tellOthers();
  client.logout();
}

function signedOut(why?: keyof typeof farewells): void {
  switchTo('signed-out');
  onClick('sign-in', () => {
    view.client.login();
  });
  if (why === undefined) return;
  byId('farewell').append(
    el(
      'p',
      { class: 'notice plain', 'data-test': 'farewell' },
      icon('clock'),
      el('span', {}, farewells[why]),
    ),
  );
  byId('welcome').focus();
}

function failed(error: unknown): void {
  switchTo('failed');
  byId('failed-why').textContent = explain(error);
  byId('failed-title').focus();
  onClick('retry', () => void open());
}

/** Says that somebody else is signed in here by now; nothing of the former user stays. */
async function userChanged(): Promise<void> {
  switchTo('changed');
  sessionStorage.clear();
  byId('changed-title').focus();
  onClick('show-account', () => void open());
  try {
    const session = await view.client.session();
    if (session) byId('changed-who').textContent = session.user.email ?? session.user.name ?? '';
    else signedOut();
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
  }
}

function showSessionTimes(session: Session): void {
  stopClock();
  showBudget(session.quota);
  const staySignedIn = async (): Promise<void> => {
    const extended = await view.client.staySignedIn().catch((error: unknown) => {
      showError(error);
      return session;
    });
    if (extended) showSessionTimes(extended);
    else signedOut('ended');
  };
  const stopCountdown = showSession(session, { staySignedIn, ended: () => void recheck() });
  const seconds = secondsUntilStale(session.quota);
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
    else showSessionTimes(session);
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
  showSessionTimes(session);
  const sessions = createSessions(client);
  const methods = createMethods(client, sessions.factorChanged);
  const reload = document.querySelector<HTMLButtonElement>('[data-test="reload"]');
  reload?.addEventListener('click', () => {
    clearNotices();
    void whileBusy(reload, () => methods.load(true));
  });
  showAccounts(client, session);
  stopHearing = followEvents({
    recheck: () => void recheck(),
    methodsChanged: () => {
      if (!presence.changedHere()) void methods.load();
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
  switchTo('loading');
  try {
    const session = await view.client.session();
    if (session) await account(session);
    else signedOut();
  } catch (error) {
    failed(error);
  }
}

void open();
