import type { SchemaObject } from 'ajv/dist/2020.js';
import type { Enrolment } from '../../state/enrolments.ts';
import type { MethodView } from '../../state/methods.ts';
import type { VerifyBare } from '../bodies.ts';
import type { Call } from '../parts.ts';
import { Problem } from '../problems.ts';
import { finishSchemas, startSchemas } from '../schemas-methods.ts';
import { createCheck } from '../validate.ts';
import { email, phone } from './one-time-code.ts';
import { passkey } from './passkey.ts';
import { password } from './password.ts';
import { pushNotification } from './push-notification.ts';
import { recoveryCode } from './recovery-code.ts';
import { totp } from './totp.ts';
import type { Factor, Started } from './factor.ts';

/** One factor with its bodies checked on the way in. */
export interface CheckedFactor {
  start(call: Call): Promise<Started>;
  finish(call: Call, id: string): Promise<MethodView>;
}

function checked<Verify extends VerifyBare, Start>(
  start: SchemaObject,
  finish: SchemaObject,
  factor: Factor<Verify, Start>,
): CheckedFactor {
  const startBody = createCheck<Start>(start);
  const finishBody = createCheck<Verify>(finish);
  return {
    start: async (call) => factor.start(call, startBody(call.body)),
    async finish(call, id) {
      const body = finishBody(call.body);
      const enrolment = ownEnrolment(call, body.auth_session, id);
      const view = await factor.finish(call, enrolment, body);
      call.state.enrolments.end(enrolment.authSession);
      return view;
    },
  };
}

/**
 * The enrolment an `auth_session` stands for, if it is this user's and for the method with this id.
 */
function ownEnrolment({ state, user }: Call, authSession: string, id: string): Enrolment {
  const found = state.enrolments.find(authSession);
  if (found?.userId !== user.user_id || found.method.view.id !== id) {
    throw new Problem('refused_proof', { detail: 'Invalid or expired session' });
  }
  return found;
}

/** Every factor that can be enrolled through the API, by type; the webauthn types are read-only. */
export const enrollable: Readonly<Record<string, CheckedFactor>> = {
  password: checked(startSchemas.password, finishSchemas.password, password),
  passkey: checked(startSchemas.passkey, finishSchemas.passkey, passkey),
  totp: checked(startSchemas.totp, finishSchemas.totp, totp),
  phone: checked(startSchemas.phone, finishSchemas.phone, phone),
  email: checked(startSchemas.email, finishSchemas.email, email),
  'push-notification': checked(
    startSchemas['push-notification'],
    finishSchemas['push-notification'],
    pushNotification,
  ),
  'recovery-code': checked(
    startSchemas['recovery-code'],
    finishSchemas['recovery-code'],
    recoveryCode,
  ),
};
