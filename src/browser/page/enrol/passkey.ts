import {
  startRegistration,
  WebAuthnError,
  type PublicKeyCredentialCreationOptionsJSON,
} from '@simplewebauthn/browser';
import type { AuthenticationMethod, Client, Enrolment } from '../../index.ts';
import { openDialog } from '../dialog.ts';
import { el } from '../dom.ts';

const reasons: Record<string, string> = {
  ERROR_AUTHENTICATOR_PREVIOUSLY_REGISTERED:
    'This device already holds a passkey for your account.',
  ERROR_INVALID_RP_ID:
    'A passkey can only be made on a page of the same domain as the sign-in page. Here it is another one.',
  ERROR_INVALID_DOMAIN: 'A passkey cannot be made on this address.',
};

/**
 * Has the device make a passkey and registers it. The button is needed: browsers want the user's
 * own gesture before they ask.
 */
export async function finishPasskey(
  client: Client,
  { id, auth_session, authn_params_public_key }: Enrolment,
): Promise<AuthenticationMethod | undefined> {
  let added: AuthenticationMethod | undefined;
  await openDialog({
    title: 'Create a passkey',
    test: 'passkey-dialog',
    content: [
      el(
        'p',
        {},
        'Your device asks for your fingerprint, face or screen lock. What it keeps never leaves it; we only get the public half.',
      ),
    ],
    submit: { label: 'Create the passkey', test: 'passkey-create' },
    explain: (error) => {
      if (error instanceof WebAuthnError && reasons[error.code] !== undefined)
        return reasons[error.code];
      return error instanceof Error && error.name === 'NotAllowedError'
        ? 'No passkey was made: your device was not asked to the end. You can try again.'
        : undefined;
    },
    run: async (signal) => {
      // Auth0 sends the options in the JSON form of WebAuthn; the library's type for it names the
      // known transports one by one.
      const made = await startRegistration({
        optionsJSON: authn_params_public_key as PublicKeyCredentialCreationOptionsJSON,
      });
      // Auth0's schema closes `response`: the key and the data the library takes out of the
      // attestation for convenience would be refused.
      const { attestationObject, clientDataJSON, transports = [] } = made.response;
      const authn_response = {
        ...made,
        response: { attestationObject, clientDataJSON, transports },
      };
      added = await client.authenticationMethods.verify(
        id,
        { auth_session, authn_response },
        { signal },
      );
    },
  });
  return added;
}
