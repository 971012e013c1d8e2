import { randomInt } from 'node:crypto';
import type { StartEmail, StartPhone, VerifyWithCode } from '../bodies.ts';
import type { Call } from '../parts.ts';
import { Problem } from '../problems.ts';
import type { Enrolment } from '../../state/enrolments.ts';
import type { MethodView } from '../../state/methods.ts';
import { newMethodId } from '../../state/new-user.ts';
import { type Factor, begin, confirm } from './factor.ts';

/** An e-mail address, confirmed by the code sent there; the tenant's outbox has it. */
export const email: Factor<VerifyWithCode, StartEmail> = {
  start(call, { email: address }) {
    const id = newMethodId('email');
    const view: MethodView = {
      id,
      type: 'email',
      email: address,
      confirmed: false,
      usage: ['secondary'],
      created_at: call.state.clock.iso(),
    };
    return { id, enrolment: send(call, view, 'email', address), body: { id } };
  },
  finish: finishWithCode,
};

/** A telephone number, confirmed by the code sent or spoken there; the tenant's outbox has it. */
export const phone: Factor<VerifyWithCode, StartPhone> = {
  start(call, { phone_number, preferred_authentication_method = 'sms' }) {
    const id = newMethodId('phone');
    const view: MethodView = {
      id,
      type: 'phone',
      phone_number,
      preferred_authentication_method,
      confirmed: false,
      usage: ['secondary'],
      created_at: call.state.clock.iso(),
    };
    return {
      id,
      enrolment: send(call, view, preferred_authentication_method, phone_number),
      body: { id },
    };
  },
  finish: finishWithCode,
};

function send(
  call: Call,
  view: MethodView,
  channel: 'email' | 'sms' | 'voice',
  to: string,
): Enrolment {
  const code = String(randomInt(1_000_000)).padStart(6, '0');
  const enrolment = begin(call, view, {}, { code });
  call.state.messages.send({
    channel,
    to,
    code,
    userId: call.user.user_id,
    reference: enrolment.authSession,
  });
  return enrolment;
}

function finishWithCode(
  call: Call,
  enrolment: Enrolment,
  { otp_code }: VerifyWithCode,
): MethodView {
  if (otp_code !== enrolment.code)
    throw new Problem('refused_proof', { detail: 'Invalid otp_code.' });
  return confirm(call, enrolment);
}
