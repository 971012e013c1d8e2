import type { AuthenticationMethod, Client, Enrolment } from '../../index.ts';
import { openDialog } from '../dialog.ts';
import { el } from '../dom.ts';
import { copyButton, secretText } from '../copy.ts';
import { drawQr } from '../qr.ts';
import { codeField, codeMaxWait, explainCode } from './code.ts';

/**
 * Shows the key of a new authenticator app, as a picture and as text, and confirms it with a first
 * code.
 */
export async function finishTotp(
  client: Client,
  { id, auth_session, barcode_uri = '', manual_input_code }: Enrolment,
): Promise<AuthenticationMethod | undefined> {
  const secret = manual_input_code ?? URL.parse(barcode_uri)?.searchParams.get('secret') ?? '';
  const shown = secretText(secret, 'totp-secret');
  const code = codeField('totp-code', 'The six digits your app shows right now.');
  let added: AuthenticationMethod | undefined;
  await openDialog({
    title: 'Add an authenticator app',
    test: 'totp-dialog',
    content: [
      el(
        'ol',
        { class: 'steps' },
        el(
          'li',
          {},
          el('h3', {}, 'Scan this with the app'),
          el(
            'div',
            { class: 'scan' },
            drawQr(barcode_uri, 'QR code that holds the key for your authenticator app'),
            el(
              'div',
              {},
              el('p', { class: 'quiet' }, 'No camera at hand? Type this key in:'),
              shown,
              copyButton(secret, shown, 'copy-secret'),
            ),
          ),
        ),
        el('li', {}, el('h3', {}, 'Enter the code it shows'), code.row),
      ),
    ],
    submit: { label: 'Confirm', test: 'totp-confirm' },
    check: code.check,
    explain: explainCode(
      'Codes change every 30 seconds: wait for the next one, and check that the clock of your phone is right.',
    ),
    run: async (signal) => {
      added = await client.authenticationMethods.verify(
        id,
        { auth_session, otp_code: code.value() },
        { signal, waitAtMost: codeMaxWait },
      );
    },
  });
  return added;
}
