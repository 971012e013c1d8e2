import type { Client, ConnectedAccount, Session } from '../index.ts';
import { keepConnecting, outcomeOf, takeConnecting, type Connecting } from './connecting.ts';
import { openDialog } from './dialog.ts';
import { el, icon, byId, whileBusy } from './dom.ts';
import { providerName } from './messages.ts';
import { clearNotices, showError, showFailure, showStatus } from './notice.ts';
import { timeAgo } from './time.ts';
import { userOf } from './view.ts';

/**
 * The accounts at other services; shown when the session may read them, and read when the user
 * wants to see them: it costs part of their budget.
 */
export function showAccounts(client: Client, session: Session): void {
  if (session.scopes?.includes('read:me:connected_accounts') !== true) return;
  const box = byId('accounts');
  let accounts: ConnectedAccount[] = [];
  byId('accounts-card').hidden = false;

  const disconnect = async (account: ConnectedAccount): Promise<void> => {
    const done = await openDialog({
      title: `Disconnect ${providerName(account.connection)}?`,
      test: 'disconnect-dialog',
      content: [
        el(
          'p',
          {},
          'This application can no longer use that account in your name. What the other service allowed it has to be taken back there.',
        ),
      ],
      submit: { label: 'Disconnect', test: 'confirm-disconnect', danger: true },
      cancel: 'Keep it',
      run: (signal) => client.connectedAccounts.delete(account.id, { signal }),
    });
    if (!done) return;
    accounts = accounts.filter(({ id }) => id !== account.id);
    render();
    showStatus(`${providerName(account.connection)} is disconnected.`);
  };

  const row = (account: ConnectedAccount): HTMLElement =>
    el(
      'li',
      { 'data-test': 'account-row', 'data-id': account.id, tabindex: '-1' },
      el('span', { class: 'mark' }, icon('link')),
      el(
        'div',
        { class: 'about' },
        el('h3', {}, providerName(account.connection)),
        el(
          'p',
          { class: 'facts' },
          el('span', {}, 'Connected ', timeAgo(new Date(account.created_at))),
          account.scopes !== undefined && el('span', {}, account.scopes.join(', ')),
        ),
      ),
      el(
        'div',
        { class: 'does' },
        el(
          'button',
          {
            type: 'button',
            class: 'small',
            'data-test': 'disconnect',
            onclick: () => {
              clearNotices();
              void disconnect(account);
            },
          },
          'Disconnect',
          el('span', { class: 'unseen' }, ` ${providerName(account.connection)}`),
        ),
      ),
    );

  const connect = (button: HTMLButtonElement): Promise<void> =>
    whileBusy(button, async () => {
      try {
        const { connections } = await client.connectedAccounts.connections();
        const choices = connections.map(({ name }) =>
          el(
            'li',
            {},
            el(
              'button',
              {
                type: 'button',
                class: 'tile',
                'data-test': `connect-${name}`,
                onclick: () => {
                  const before = accounts.map(({ id }) => id);
                  const asked = { connection: name, user: userOf(session), before };
                  client.connectAccount(name, keepConnecting(asked));
                },
              },
              el('span', { class: 'mark' }, icon('link')),
              el('b', {}, providerName(name)),
            ),
          ),
        );
        button.replaceWith(
          choices.length > 0
            ? el('ul', { class: 'tiles' }, ...choices)
            : el('p', { class: 'empty' }, 'No service can be connected here.'),
        );
      } catch (error) {
        showError(error);
      }
    });

  const render = (): void => {
    const more: HTMLButtonElement = el(
      'button',
      { type: 'button', 'data-test': 'connect-account', onclick: () => void connect(more) },
      icon('plus'),
      'Connect an account',
    );
    box.replaceChildren(
      accounts.length > 0
        ? el('ul', { class: 'list', 'data-test': 'account-list' }, ...accounts.map(row))
        : el('p', { class: 'empty' }, 'No account is connected.'),
      more,
    );
  };

  /** Reads the list, every page of it: a part is never shown as the whole. */
  const read = async (fresh: boolean): Promise<void> => {
    const all: ConnectedAccount[] = [];
    let from: string | undefined;
    do {
      const page = await client.connectedAccounts.list(
        { take: 20, ...(from === undefined ? {} : { from }) },
        { fresh },
      );
      all.push(...page.accounts);
      from = page.next;
    } while (from !== undefined);
    accounts = all;
    render();
  };

  const load = (button: HTMLButtonElement): Promise<void> =>
    whileBusy(button, async () => {
      clearNotices();
      try {
        await read(false);
      } catch (error) {
        showError(error);
      }
    });
  const button: HTMLButtonElement = el(
    'button',
    { type: 'button', 'data-test': 'show-accounts', onclick: () => void load(button) },
    'Show them',
  );
  box.replaceChildren(button);

  /** Says what came of the way to a provider, and shows it. */
  const sayOutcome = async (connecting: Connecting): Promise<void> => {
    const name = providerName(connecting.connection);
    try {
      await read(true);
    } catch (error) {
      showError(error);
      return;
    }
    const outcome = outcomeOf(connecting, accounts);
    if (outcome.kind === 'not') {
      showFailure(`${name} was not connected.`);
      return;
    }
    showStatus(
      outcome.kind === 'connected' ? `${name} is connected.` : `${name} is already connected.`,
    );
    box.querySelector<HTMLElement>(`[data-id="${CSS.escape(outcome.account.id)}"]`)?.focus();
  };
  const connecting = takeConnecting(userOf(session));
  if (connecting !== undefined) void sayOutcome(connecting);
}
