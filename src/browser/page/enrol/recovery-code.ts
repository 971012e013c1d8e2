import type { AuthenticationMethod, Client, Enrolment } from '../../index.ts';
import { openDialog } from '../dialog.ts';
import { el } from '../dom.ts';
import { copyButton, downloadButton, secretText } from '../copy.ts';

/** Shows a new recovery code, this once, and makes it count when the user says it is kept. */
export async function finishRecoveryCode(
  client: Client,
  { id, auth_session, recovery_code = '' }: Enrolment,
): Promise<AuthenticationMethod | undefined> {
  const shown = secretText(recovery_code, 'recovery-code');
  const kept = el('input', { type: 'checkbox', 'data-test': 'recovery-code-kept' });
  let added: AuthenticationMethod | undefined;
  await openDialog({
    title: 'Your recovery code',
    test: 'recovery-code-dialog',
    content: [
      el(
        'p',
        {},
        'It lets you in when you have lost everything else. It is shown this once and cannot be read again: keep it where only you can find it.',
      ),
      el(
        'div',
        { class: 'keep tall' },
        shown,
        el(
          'div',
          { class: 'row' },
          copyButton(recovery_code, shown, 'copy-recovery-code'),
          downloadButton(`${recovery_code}\n`, 'recovery-code.txt', 'download-recovery-code'),
        ),
      ),
      el('label', { class: 'check' }, kept, el('span', {}, 'I have kept this code somewhere safe')),
    ],
    submit: { label: 'Use this code', test: 'recovery-code-confirm' },
    check: () =>
      kept.checked
        ? undefined
        : { message: 'Keep the code first, then tick the box.', field: kept },
    run: async (signal) => {
      added = await client.authenticationMethods.verify(id, { auth_session }, { signal });
    },
  });
  return added;
}
