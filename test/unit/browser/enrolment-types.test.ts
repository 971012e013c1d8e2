import { afterEach, expect, test } from '@jest/globals';
import type { EnrolmentOf, NewMethod, PasskeyCreation } from '../../../src/browser/api.ts';
import { openTab, startAnswering } from './a-gateway.ts';

let close = (): Promise<void> => Promise.resolve();
afterEach(() => close());

type Equal<A, B> = [A, B] extends [B, A] ? true : false;

// Read by the compiler: a line that is wrong is an error of `npm run types`.
const promised: [
  Equal<EnrolmentOf<'totp'>['barcode_uri'], string>,
  Equal<EnrolmentOf<'push-notification'>['barcode_uri'], string>,
  Equal<EnrolmentOf<'recovery-code'>['recovery_code'], string>,
  Equal<EnrolmentOf<'passkey'>['authn_params_public_key'], PasskeyCreation>,
  Equal<EnrolmentOf<'email'>['barcode_uri'], string | undefined>,
  Equal<EnrolmentOf<'totp' | 'email'>['barcode_uri'], string | undefined>,
] = [true, true, true, true, true, true];

test('create narrows its answer by type', async () => {
  const body = { id: 'totp|dev_1', auth_session: 's', barcode_uri: 'otpauth://totp/x?secret=AB' };
  const gateway = await startAnswering({ status: 201, body });
  close = gateway.close;
  const { authenticationMethods } = openTab(gateway.origin).load();
  const begun = await authenticationMethods.create({ type: 'totp' });
  // No question mark, no fallback: it is a string.
  const uri: string = begun.barcode_uri;
  expect([uri, promised.length]).toEqual([body.barcode_uri, 6]);
});

test('any kind may still be asked for, as before', async () => {
  const gateway = await startAnswering({ status: 202, body: { id: 'email|1', auth_session: 's' } });
  close = gateway.close;
  const { authenticationMethods } = openTab(gateway.origin).load();
  const asked: NewMethod = { type: 'email', email: 'a@example.com' };
  const begun = await authenticationMethods.create(asked);
  expect([begun.id, begun.recovery_code]).toEqual(['email|1', undefined]);
});
