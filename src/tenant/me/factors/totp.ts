import { verifySync } from 'otplib';
import type { VerifyWithCode } from '../bodies.ts';
import { Problem } from '../problems.ts';
import { newMethodId, newTotpSecret } from '../../state/new-user.ts';
import { type Factor, barcodeUri, begin, confirm } from './factor.ts';

/**
 * An authenticator app: a fresh secret as QR code and text, confirmed by a code of this or a
 * neighbouring half minute (RFC 6238).
 */
export const totp: Factor<VerifyWithCode> = {
  start(call) {
    const secret = newTotpSecret();
    const id = newMethodId('totp');
    const view = {
      id,
      type: 'totp',
      confirmed: false,
      usage: ['secondary'],
      created_at: call.state.clock.iso(),
    } as const;
    const enrolment = begin(call, { ...view, usage: ['secondary'] }, { totpSecret: secret });
    return {
      id,
      enrolment,
      body: { id, barcode_uri: barcodeUri(call, secret), manual_input_code: secret },
    };
  },
  finish(call, enrolment, { otp_code }) {
    const secret = enrolment.method.secrets.totpSecret ?? '';
    // The authenticator app has the machine's clock, whatever the tenant's was moved to.
    if (
      !/^\d{6}$/.test(otp_code) ||
      !verifySync({ secret, token: otp_code, epochTolerance: 30 }).valid
    ) {
      throw new Problem('refused_proof', { detail: 'Invalid otp_code.' });
    }
    return confirm(call, enrolment);
  },
};
