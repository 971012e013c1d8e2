import type { VerifyBare } from '../bodies.ts';
import { newMethodId, newRecoveryCode } from '../../state/new-user.ts';
import { type Factor, begin, confirm } from './factor.ts';

/**
 * A recovery code of 24 characters, shown once; the newest confirmed one takes the place of any
 * before it.
 */
export const recoveryCode: Factor<VerifyBare> = {
  start(call) {
    const id = newMethodId('recovery-code');
    const code = newRecoveryCode();
    const enrolment = begin(
      call,
      {
        id,
        type: 'recovery-code',
        confirmed: false,
        usage: ['secondary'],
        created_at: call.state.clock.iso(),
      },
      { recoveryCode: code },
    );
    return { id, enrolment, body: { id, recovery_code: code } };
  },
  finish(call, enrolment) {
    const view = confirm(call, enrolment);
    call.user.methods = call.user.methods.filter(
      (one) => one.view.type !== 'recovery-code' || one === enrolment.method,
    );
    return view;
  },
};
