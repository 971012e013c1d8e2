import type { VerifyBare } from '../bodies.ts';
import { Problem } from '../problems.ts';
import { newMethodId, newTotpSecret } from '../../state/new-user.ts';
import { type Factor, barcodeUri, begin, confirm } from './factor.ts';

/**
 * The Guardian app on a pretended phone: confirmed once it was approved through the tenant's
 * control.
 */
export const pushNotification: Factor<VerifyBare> = {
  start(call) {
    const id = newMethodId('push-notification');
    const enrolment = begin(
      call,
      {
        id,
        type: 'push-notification',
        confirmed: false,
        usage: ['secondary'],
        created_at: call.state.clock.iso(),
      },
      {},
    );
    return { id, enrolment, body: { id, barcode_uri: barcodeUri(call, newTotpSecret()) } };
  },
  finish(call, enrolment) {
    if (!enrolment.approved) throw new Problem('push_pending');
    return confirm(call, enrolment);
  },
};
