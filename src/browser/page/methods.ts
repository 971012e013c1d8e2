import type { AuthenticationMethod, Client, Enrolment, FactorType, Resumed } from '../index.ts';
import { el, icon, byId, whileBusy } from './dom.ts';
import { beginEnrolment, finishEnrolment } from './enrol/begin.ts';
import { methodRow } from './method-row.ts';
import { showError, clearNotices, showStatus } from './notice.ts';
import { explain, titleOf, kindTexts } from './messages.ts';

const confirmed = (method: AuthenticationMethod): boolean =>
  !('confirmed' in method) || method.confirmed;

/** Primary ways first, unfinished ones last, otherwise in the order they were made. */
const inOrder = (methods: AuthenticationMethod[]): AuthenticationMethod[] => {
  const rank = (method: AuthenticationMethod): number =>
    confirmed(method) ? (method.usage.includes('primary') ? 0 : 1) : 2;
  return methods.toSorted((a, b) => rank(a) - rank(b) || a.created_at.localeCompare(b.created_at));
};

/** The list of methods on the page. */
export type Methods = ReturnType<typeof createMethods>;

/**
 * The list of the user's methods. What a change answers goes straight into it: the list is read
 * once and again only when asked for, since every read counts against the user's budget.
 * `factorChanged` is told what was done.
 */
export function createMethods(client: Client, factorChanged: (said: string) => void) {
  let methods: AuthenticationMethod[] = [];
  const box = byId('methods');

  const render = (): void => {
    const seconds = methods.filter(
      (method) => confirmed(method) && method.usage.includes('secondary'),
    );
    const lastSecond = (method: AuthenticationMethod): boolean =>
      seconds.length === 1 && seconds[0] === method;
    const change = (type: FactorType, button: HTMLButtonElement): void => {
      void add(type, button);
    };
    const rows = inOrder(methods).map((method) =>
      methodRow(method, { client, changed, removed, change, lastSecond }),
    );
    box.replaceChildren(
      rows.length > 0
        ? el('ul', { class: 'list', 'data-test': 'method-list' }, ...rows)
        : el(
            'p',
            { class: 'empty', 'data-test': 'no-methods' },
            'Nothing is listed yet. Add a first way below.',
          ),
    );
    if (
      rows.length > 0 &&
      seconds.length === 0 &&
      !methods.some(({ type }) => type === 'passkey')
    ) {
      box.append(
        el(
          'p',
          { class: 'notice plain', 'data-test': 'no-second-step' },
          icon('shield'),
          el(
            'span',
            {},
            'You have no second step yet. Add one, so that a stolen password alone is not enough.',
          ),
        ),
      );
    }
  };

  const keep = (method: AuthenticationMethod): void => {
    // The password keeps its place whatever id it comes back under.
    const same = (one: AuthenticationMethod): boolean =>
      one.id === method.id || (one.type === 'password' && method.type === 'password');
    methods = [...methods.filter((one) => !same(one)), method];
    render();
  };
  const changed = (method: AuthenticationMethod): void => {
    keep(method);
    showStatus(`Saved as “${titleOf(method)}”.`);
  };
  const removed = (method: AuthenticationMethod): void => {
    methods = methods.filter(({ id }) => id !== method.id);
    render();
    byId('methods-title').focus();
    factorChanged(`${titleOf(method)} removed.`);
  };

  const load = async (fresh = false): Promise<void> => {
    if (methods.length === 0)
      box.replaceChildren(
        el(
          'div',
          { class: 'skeleton', role: 'status', 'data-test': 'methods-loading' },
          el('span', { class: 'unseen' }, 'Loading your ways to sign in'),
        ),
      );
    try {
      methods = (await client.authenticationMethods.list(undefined, { fresh }))
        .authentication_methods;
      render();
    } catch (error) {
      if (methods.length > 0) showError(error);
      else box.replaceChildren(el('p', { class: 'empty', 'data-test': 'error' }, explain(error)));
    }
  };

  const finish = async (type: FactorType, enrolment: Enrolment): Promise<void> => {
    const again = methods.some((method) => method.type === type);
    const added = await finishEnrolment(client, type, enrolment);
    if (added) keep(added);
    if (added)
      factorChanged(
        type === 'password' ? 'Your password was changed.' : `${kindTexts[type].name} added.`,
      );
    // Given up half-way, Auth0 may keep an unfinished method; a second recovery code may have taken
    // the place of the first.
    const unsure = added
      ? type === 'recovery-code' && again
      : type !== 'passkey' && type !== 'password';
    if (unsure) await load(true);
  };

  const add = (type: FactorType, button: HTMLButtonElement): Promise<void> =>
    whileBusy(button, async () => {
      clearNotices();
      try {
        const enrolment = await beginEnrolment(client, type);
        if (enrolment) await finish(type, enrolment);
      } catch (error) {
        showError(error);
      }
    });

  /** Goes on with what was asked for before a step-up. */
  const carryOn = async (resumed: Resumed): Promise<void> => {
    if (resumed.problem) showError(resumed.problem);
    else if (resumed.operation === 'authenticationMethods.create')
      await finish(resumed.args[0].type, resumed.answer);
    else if (resumed.operation === 'authenticationMethods.update')
      showStatus(`Saved as “${titleOf(resumed.answer)}”.`);
    else if (resumed.operation === 'authenticationMethods.delete') factorChanged('Removed.');
    else if (resumed.operation === 'connectedAccounts.delete') showStatus('Disconnected.');
  };

  return { load, add, carryOn };
}
