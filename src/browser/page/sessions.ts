import { ProblemError, type Client, type OwnSession } from '../index.ts';
import { openDialog } from './dialog.ts';
import { el, icon, byId, whileBusy } from './dom.ts';
import { showError, clearNotices, showStatus } from './notice.ts';
import { timeAgo } from './time.ts';

/**
 * The user's sessions on other devices, where the gateway keeps such a list; without the route the
 * card stays away.
 */
export function createSessions(client: Client) {
  let sessions: OwnSession[] = [];

  const endOthers = async (): Promise<void> => {
    try {
      await client.sessions.endOthers();
      sessions = sessions.filter(({ current }) => current);
      render();
      showStatus('You are signed out everywhere else.');
    } catch (error) {
      showError(error);
    }
  };

  const end = (session: OwnSession, button: HTMLButtonElement): Promise<void> =>
    whileBusy(button, async () => {
      clearNotices();
      try {
        await client.sessions.end(session.id);
        sessions = sessions.filter(({ id }) => id !== session.id);
        render();
        showStatus(`${session.device} is signed out.`);
      } catch (error) {
        showError(error);
      }
    });

  const row = (session: OwnSession): HTMLElement => {
    const button: HTMLButtonElement = el(
      'button',
      {
        type: 'button',
        class: 'small',
        'data-test': 'end-session',
        onclick: () => void end(session, button),
      },
      'Sign out',
      el('span', { class: 'unseen' }, ` ${session.device}`),
    );
    return el(
      'li',
      { 'data-test': 'session-row', 'data-current': String(session.current) },
      el('span', { class: 'mark' }, icon('device')),
      el(
        'div',
        { class: 'about' },
        el(
          'h3',
          {},
          session.device,
          session.current && el('span', { class: 'badge good' }, 'This one'),
        ),
        el(
          'p',
          { class: 'facts' },
          el('span', {}, 'Last seen ', timeAgo(new Date(session.last_seen_at))),
        ),
      ),
      el('div', { class: 'does' }, !session.current && button),
    );
  };

  const render = (): void => {
    byId('sessions-card').hidden = sessions.length === 0;
    const others = sessions.filter(({ current }) => !current);
    const confirm = (): void => {
      void openDialog({
        title: 'Sign out everywhere else?',
        test: 'end-others-dialog',
        content: [
          el(
            'p',
            {},
            `This ends ${others.length === 1 ? 'one other session' : `${others.length} other sessions`}. You stay signed in here.`,
          ),
        ],
        submit: { label: 'Sign out the others', test: 'confirm-end-others', danger: true },
        run: endOthers,
      });
    };
    byId('sessions').replaceChildren(
      el(
        'ul',
        { class: 'list', 'data-test': 'session-list' },
        ...sessions.toSorted((a, b) => Number(b.current) - Number(a.current)).map(row),
      ),
      others.length > 0
        ? el(
            'button',
            { type: 'button', 'data-test': 'end-other-sessions', onclick: confirm },
            'Sign out everywhere else',
          )
        : '',
    );
  };

  return {
    async load(): Promise<void> {
      try {
        sessions = (await client.sessions.list()).sessions;
        render();
      } catch (error) {
        if (!(error instanceof ProblemError) || error.status !== 404) showError(error);
      }
    },
    /**
     * Says what was changed; with sessions elsewhere, offers to end them: whoever holds one got in
     * before the change.
     */
    factorChanged: (said: string): void => {
      const others = sessions.some(({ current }) => !current);
      showStatus(
        said,
        others
          ? {
              label: 'Sign out everywhere else',
              test: 'offer-end-others',
              run: () => void endOthers(),
            }
          : undefined,
      );
    },
  };
}
