import {
  ProblemError,
  type AuthenticationMethod,
  type Client,
  type Enrolment,
} from '../../index.ts';
import { openDialog } from '../dialog.ts';
import { el } from '../dom.ts';
import { drawQr } from '../qr.ts';

/** Shows what the Guardian app scans, and asks whether it went through once the user says so. */
export async function finishPush(
  client: Client,
  { id, auth_session, barcode_uri = '' }: Enrolment,
): Promise<AuthenticationMethod | undefined> {
  let added: AuthenticationMethod | undefined;
  await openDialog({
    title: 'Add push notifications',
    test: 'push-dialog',
    content: [
      el('p', {}, 'Open the Auth0 Guardian app, scan this, and approve there.'),
      drawQr(barcode_uri, 'QR code for the Guardian app'),
    ],
    submit: { label: 'I have approved it', test: 'push-confirm' },
    explain: (error) =>
      error instanceof ProblemError && error.status === 400
        ? 'It has not been approved yet. Approve it in the app, then try again.'
        : undefined,
    run: async (signal) => {
      added = await client.authenticationMethods.verify(id, { auth_session }, { signal });
    },
  });
  return added;
}
