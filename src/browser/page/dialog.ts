import { el, icon, type Child, whileBusy } from './dom.ts';
import { problemText } from './notice.ts';

/** A dialog to be shown: its kindTexts, its fields, and the work behind its button. */
export interface DialogOptions {
  title: string;
  test: string;
  content: Child[];
  submit: { label: string; test: string; danger?: boolean };
  cancel?: string;
  /**
   * The work behind the button; the dialog closes when it is done and stays, with the reason, when
   * it fails.
   */
  run: (signal: AbortSignal) => Promise<void>;
  /** Says why the form cannot be sent yet: the message, and the field it is about. */
  check?: () => { message: string; field: HTMLInputElement } | undefined;
  /** Another wording for a failure, where this dialog knows better than the page. */
  explain?: (error: unknown) => string | undefined;
}

/** What closes a dialog whose view has ended: nobody is told of it. */
const gone = 'gone';

/** Closes every dialog there is; what was to follow on them does not. */
export function closeDialogs(): void {
  for (const dialog of document.querySelectorAll('dialog')) dialog.close(gone);
}

let count = 0;

/**
 * A modal dialog with one thing to do in it. Answers true once that is done, false when the user
 * turns away; focus goes back to where it was.
 */
export function openDialog({
  title,
  test,
  content,
  submit,
  cancel = 'Cancel',
  run,
  check,
  explain,
}: DialogOptions): Promise<boolean> {
  const id = `dialog-${(count += 1)}`;
  const giveUp = new AbortController();
  let done = false;

  const error = el('div', { role: 'alert', id: `${id}-error` });
  const button = el(
    'button',
    { class: submit.danger === true ? 'danger' : 'primary', 'data-test': submit.test },
    submit.label,
  );
  const close = el(
    'button',
    {
      type: 'button',
      'data-test': 'cancel',
      onclick: () => {
        dialog.close();
      },
    },
    cancel,
  );
  const form = el('form', {
    novalidate: true,
    onsubmit: (event) => {
      event.preventDefault();
      void send();
    },
  });
  form.append(
    el('h2', { id }, title),
    ...content.filter((child) => child !== undefined && child !== false),
    error,
    el('div', { class: 'actions' }, close, button),
  );
  const dialog = el('dialog', { 'aria-labelledby': id, 'data-test': test }, form);

  const say = (text: string, field?: HTMLInputElement): void => {
    error.replaceChildren(
      el('p', { class: 'notice bad', 'data-test': 'error' }, icon('alert'), el('span', {}, text)),
    );
    field?.setAttribute('aria-invalid', 'true');
    field?.setAttribute('aria-errormessage', error.id);
    field?.focus();
    field?.select();
  };

  const send = (): Promise<void> =>
    whileBusy(button, async () => {
      error.replaceChildren();
      const missing = check?.();
      if (missing) {
        say(missing.message, missing.field);
        return;
      }
      try {
        await run(giveUp.signal);
        done = true;
        dialog.close();
      } catch (failure) {
        const text = explain?.(failure) ?? problemText(failure);
        if (text !== undefined) say(text, form.querySelector('input') ?? undefined);
      }
    });

  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      giveUp.abort();
      dialog.remove();
      if (dialog.returnValue !== gone) resolve(done);
    });
  });
}

/** A labelled text field, with a hint where one helps. */
export function field(
  label: string,
  attributes: Record<string, string | boolean>,
  hint?: string,
): { row: HTMLElement; input: HTMLInputElement } {
  const id = `field-${(count += 1)}`;
  const input = el('input', {
    id,
    ...(hint === undefined ? {} : { 'aria-describedby': `${id}-hint` }),
    ...attributes,
  });
  const row = el(
    'div',
    { class: 'field' },
    el('label', { for: id }, label),
    input,
    hint !== undefined && el('small', { id: `${id}-hint` }, hint),
  );
  return { row, input };
}
