import type { AuthenticationMethod, Client, Enrolment, FactorType } from '../../index.ts';
import { beginEmail, beginPhone, finishMessage } from './message.ts';
import { finishPasskey } from './passkey.ts';
import { finishPassword } from './password.ts';
import { finishPush } from './push.ts';
import { finishRecoveryCode } from './recovery-code.ts';
import { finishTotp } from './totp.ts';

/**
 * Asks for what the kind of method needs before it can be begun, and begins it; undefined when the
 * user turned away.
 */
export function beginEnrolment(client: Client, type: FactorType): Promise<Enrolment | undefined> {
  switch (type) {
    case 'email':
      return beginEmail(client);
    case 'phone':
      return beginPhone(client);
    case 'webauthn-platform':
    case 'webauthn-roaming':
      return Promise.resolve(undefined);
    default:
      return client.authenticationMethods.create({ type });
  }
}

/**
 * Leads a begun enrolment to its end; also one begun before a step-up. Undefined when the user
 * turned away.
 */
export function finishEnrolment(
  client: Client,
  type: FactorType,
  enrolment: Enrolment,
): Promise<AuthenticationMethod | undefined> {
  switch (type) {
    case 'totp':
      return finishTotp(client, enrolment);
    case 'recovery-code':
      return finishRecoveryCode(client, enrolment);
    case 'email':
    case 'phone':
      return finishMessage(client, type, enrolment);
    case 'push-notification':
      return finishPush(client, enrolment);
    case 'passkey':
      return finishPasskey(client, enrolment);
    case 'password':
      return finishPassword(client, enrolment);
    default:
      return Promise.resolve(undefined);
  }
}
