import type { AuthenticationMethod, Client, FactorType } from '../index.ts';
import { openDialog, field } from './dialog.ts';
import { el, icon } from './dom.ts';
import { clearNotices } from './notice.ts';
import { timeAgo } from './time.ts';
import { titleOf, kindTexts } from './messages.ts';

interface RowParts {
  client: Client;
  changed: (method: AuthenticationMethod) => void;
  removed: (method: AuthenticationMethod) => void;
  change: (type: FactorType, button: HTMLButtonElement) => void;
  /** Nothing else would be asked for besides the first step. */
  lastSecond: (method: AuthenticationMethod) => boolean;
}

/** The kinds Auth0 keeps a name for. */
const nameable: ReadonlySet<FactorType> = new Set<FactorType>([
  'totp',
  'push-notification',
  'email',
  'phone',
  'webauthn-platform',
  'webauthn-roaming',
]);

/**
 * The browser a passkey was made with, in a few kindTexts: Auth0 keeps what the browser says of itself,
 * sometimes shortened, sometimes whole.
 */
function describeUserAgent(userAgent: string): string {
  if (!userAgent.startsWith('Mozilla/')) return userAgent;
  const browser =
    /\b(Edg|OPR|Firefox|Chrome|Version)[A-Za-z]*\//.exec(
      userAgent.replace('HeadlessChrome', 'Chrome'),
    )?.[1] ?? 'browser';
  const system = /iPhone|iPad|Android|Windows|Mac OS X|CrOS|Linux/.exec(userAgent)?.[0];
  const names: Record<string, string> = {
    Edg: 'Edge',
    OPR: 'Opera',
    Version: 'Safari',
    browser: 'a browser',
  };
  return `Made with ${names[browser] ?? browser}${system === undefined ? '' : ` on ${system.replace('Mac OS X', 'macOS')}`}`;
}

/** What tells this method from another of its kind. */
function facts(method: AuthenticationMethod): (string | HTMLElement)[] {
  const known: (string | HTMLElement)[] = [];
  if (titleOf(method) !== kindTexts[method.type].name) known.push(kindTexts[method.type].name);
  if (method.type === 'email') known.push(method.email);
  if (method.type === 'phone')
    known.push(
      `${method.phone_number}, by ${method.preferred_authentication_method === 'voice' ? 'call' : 'text message'}`,
    );
  if (method.type === 'passkey') {
    if (method.user_agent) known.push(describeUserAgent(method.user_agent));
    known.push(method.credential_backed_up ? 'Synced across your devices' : 'On one device');
  }
  known.push(el('span', {}, 'Added ', timeAgo(new Date(method.created_at))));
  if (method.type === 'password' && method.last_password_reset)
    known.push(el('span', {}, 'Changed ', timeAgo(new Date(method.last_password_reset))));
  if ('last_auth_at' in method && method.last_auth_at)
    known.push(el('span', {}, 'Last used ', timeAgo(new Date(method.last_auth_at))));
  return known;
}

/** Asks for a new name and saves it. */
async function rename(method: AuthenticationMethod, { client, changed }: RowParts): Promise<void> {
  const { row, input } = field(
    'Name',
    {
      'data-test': 'rename-name',
      value: titleOf(method),
      maxlength: '100',
      required: true,
      autofocus: true,
    },
    'Such as “Work phone”.',
  );
  const done = await openDialog({
    title: `Rename ${titleOf(method)}`,
    test: 'rename-dialog',
    content: [row],
    submit: { label: 'Save', test: 'rename-save' },
    check: () =>
      input.value.trim() === '' ? { message: 'Enter a name.', field: input } : undefined,
    run: async (signal) => {
      changed(
        await client.authenticationMethods.update(
          method.id,
          { name: input.value.trim() },
          { signal },
        ),
      );
    },
  });
  // The row was drawn anew, and the button that had the focus is gone.
  if (done)
    document
      .querySelector<HTMLElement>(`[data-id="${CSS.escape(method.id)}"] [data-test="rename"]`)
      ?.focus();
}

/** Removes the method once the user has said so with the consequence in view. */
async function remove(
  method: AuthenticationMethod,
  { client, removed, lastSecond }: RowParts,
): Promise<void> {
  const done = await openDialog({
    title: `Remove ${titleOf(method)}?`,
    test: 'remove-dialog',
    content: [
      el(
        'p',
        {},
        `${kindTexts[method.type].loss} This cannot be undone, but you can add it again.`,
      ),
      lastSecond(method) &&
        el(
          'p',
          { class: 'notice warn' },
          icon('alert'),
          el(
            'span',
            {},
            'It is your only second step: without it a password alone is enough to get in.',
          ),
        ),
    ],
    submit: { label: 'Remove', test: 'confirm-remove', danger: true },
    cancel: 'Keep it',
    run: (signal) => client.authenticationMethods.delete(method.id, { signal }),
  });
  if (done) removed(method);
}

/** One method in the list: what it is, in which state, and what can be done with it. */
export function methodRow(method: AuthenticationMethod, parts: RowParts): HTMLElement {
  const title = titleOf(method);
  const finished = !('confirmed' in method) || method.confirmed;
  const state = finished
    ? el('span', { class: 'badge good' }, 'Confirmed')
    : el('span', { class: 'badge warn' }, 'Not finished');
  const act = (
    label: string,
    test: string,
    run: (button: HTMLButtonElement) => void,
  ): HTMLElement => {
    const button = el(
      'button',
      {
        type: 'button',
        class: 'small',
        'data-test': test,
        onclick: () => {
          clearNotices();
          run(button);
        },
      },
      label,
      el('span', { class: 'unseen' }, ` ${title}`),
    );
    return button;
  };
  return el(
    'li',
    {
      'data-test': 'method-row',
      'data-type': method.type,
      'data-id': method.id,
      'data-confirmed': String(finished),
    },
    el('span', { class: 'mark' }, icon(kindTexts[method.type].icon)),
    el(
      'div',
      { class: 'about' },
      el('h3', {}, el('span', { 'data-test': 'method-name' }, title), state),
      el('p', { class: 'facts' }, ...facts(method).map((fact) => el('span', {}, fact))),
    ),
    el(
      'div',
      { class: 'does' },
      method.type === 'password' &&
        act('Change', 'change-password', (button) => {
          parts.change('password', button);
        }),
      finished &&
        nameable.has(method.type) &&
        act('Rename', 'rename', () => void rename(method, parts)),
      method.type !== 'password' && act('Remove', 'remove', () => void remove(method, parts)),
    ),
  );
}
