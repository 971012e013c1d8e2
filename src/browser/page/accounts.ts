import type { Client, ConnectedAccount, Session } from '../index.ts';
import { ask } from './ask.ts';
import { whileBusy } from './busy.ts';
import { el, icon, place } from './dom.ts';
import { fail, hush, tell } from './notice.ts';
import { timeAgo } from './when.ts';

/**
 * The accounts at other services; shown when the session may read them, and read when the user
 * wants to see them: it costs part of their budget.
 */
export function showAccounts(client: Client, session: Session): void {
  if (session.scopes?.includes('read:me:connected_accounts') !== true) return;
  const box = place('accounts');
  let accounts: ConnectedAccount[] = [];
  place('accounts-card').hidden = false;

  const disconnect = async (account: ConnectedAccount): Promise<void> => {
    const done = await ask({
      title: `Disconnect ${account.connection}?`,
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
    tell(`${account.connection} is disconnected.`);
  };

  const row = (account: ConnectedAccount): HTMLElement =>
    el(
      'li',
      { 'data-test': 'account-row' },
      el('span', { class: 'mark' }, icon('link')),
      el(
        'div',
        { class: 'about' },
        el('h3', {}, account.connection),
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
              hush();
              void disconnect(account);
            },
          },
          'Disconnect',
          el('span', { class: 'unseen' }, ` ${account.connection}`),
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
                  client.connectAccount(name);
                },
              },
              el('span', { class: 'mark' }, icon('link')),
              el('b', {}, name),
            ),
          ),
        );
        button.replaceWith(
          choices.length > 0
            ? el('ul', { class: 'tiles' }, ...choices)
            : el('p', { class: 'empty' }, 'No service can be connected here.'),
        );
      } catch (error) {
        fail(error);
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

  const load = (button: HTMLButtonElement): Promise<void> =>
    whileBusy(button, async () => {
      hush();
      try {
        accounts = [];
        let from: string | undefined;
        do {
          const page = await client.connectedAccounts.list({
            take: 20,
            ...(from === undefined ? {} : { from }),
          });
          accounts.push(...page.accounts);
          from = page.next;
        } while (from !== undefined);
        render();
      } catch (error) {
        fail(error);
      }
    });
  const button: HTMLButtonElement = el(
    'button',
    { type: 'button', 'data-test': 'show-accounts', onclick: () => void load(button) },
    'Show them',
  );
  box.replaceChildren(button);
}
