import { z } from 'zod';
import { TokenError } from '../oidc/resources.ts';
import { enrolled, type Candidate } from '../second-factor/kinds.ts';
import type { Pushes } from '../second-factor/push.ts';
import type { MethodView } from '../state/methods.ts';
import { newMethodId, newRecoveryCode, newTotpSecret } from '../state/new-user.ts';
import type { State } from '../state/state.ts';
import { openChallenge, type MfaCaller } from './mfa-api.ts';

const bodySchema = z.object({
  authenticator_types: z.array(z.enum(['otp', 'oob'])).min(1),
  oob_channels: z
    .array(z.enum(['sms', 'voice', 'email', 'auth0']))
    .min(1)
    .default(['sms']),
  phone_number: z.string().optional(),
  email: z.email().optional(),
});

/**
 * `POST /mfa/associate`: a first factor for a user who has none; an mfa_token may not add a second
 * one. Its first good code confirms it.
 */
export function associate(
  state: State,
  pushes: Pushes,
  caller: MfaCaller,
  members: Record<string, unknown>,
): Record<string, unknown> {
  const { user, transaction } = caller;
  if (transaction !== undefined && enrolled(user).length > 0)
    throw new TokenError(403, 'access_denied', 'User is already enrolled.');
  const parsed = bodySchema.safeParse(members);
  if (!parsed.success) throw new TokenError(400, 'invalid_request', z.prettifyError(parsed.error));
  const {
    authenticator_types: types,
    oob_channels: channels,
    phone_number: phone,
    email = user.email,
  } = parsed.data;
  const { host } = new URL(state.origin);
  const common = { created_at: state.clock.iso(), usage: ['secondary' as const], confirmed: false };
  const keep = (view: MethodView, totpSecret?: string): void => {
    user.methods.push({
      view: { ...view, usage: ['secondary'] },
      secrets: totpSecret === undefined ? {} : { totpSecret },
    });
  };

  // The first association comes with a recovery code, which is good once the factor is proved.
  const first = !user.methods.some(({ view }) => view.type === 'recovery-code');
  const recoveryCode = newRecoveryCode();
  const recovery = first ? { recovery_codes: [recoveryCode] } : {};
  const keepRecovery = (): void => {
    if (!first) return;
    const view = { ...common, id: newMethodId('recovery-code'), type: 'recovery-code' as const };
    user.methods.push({ view: { ...view, usage: ['secondary'] }, secrets: { recoveryCode } });
  };

  if (types.includes('otp')) {
    const secret = newTotpSecret();
    const id = newMethodId('totp');
    keep({ ...common, id, type: 'totp' }, secret);
    keepRecovery();
    if (transaction !== undefined) transaction.enrolling = { methodId: id };
    const label = `${host}:${encodeURIComponent(user.email)}`;
    const barcode_uri = `otpauth://totp/${label}?secret=${secret}&issuer=${host}&algorithm=SHA1&digits=6&period=30`;
    return { authenticator_type: 'otp', secret, barcode_uri, ...recovery };
  }

  const [channel = 'sms'] = channels;
  const answer = { authenticator_type: 'oob', oob_channel: channel };
  if (channel === 'auth0') {
    const id = newMethodId('push-notification');
    keep({ ...common, id, type: 'push-notification' });
    keepRecovery();
    const oob_code = openChallenge(state, pushes, caller, { kind: 'push', id });
    return {
      ...answer,
      oob_code,
      barcode_uri: `otpauth://totp/${host}?enrollment_tx_id=${oob_code.slice(8, 24)}`,
      ...recovery,
    };
  }
  const candidate = channel === 'email' ? addEmail() : addPhone(channel);
  keepRecovery();
  return {
    ...answer,
    binding_method: 'prompt',
    oob_code: openChallenge(state, pushes, caller, candidate),
    ...recovery,
  };

  function addEmail(): Candidate {
    const id = newMethodId('email');
    keep({ ...common, id, type: 'email', email });
    return { kind: 'email', id, to: email };
  }

  function addPhone(preferred: 'sms' | 'voice'): Candidate {
    if (phone === undefined)
      throw new TokenError(400, 'invalid_request', 'phone_number is required for this channel');
    const id = newMethodId('phone');
    keep({
      ...common,
      id,
      type: 'phone',
      phone_number: phone,
      preferred_authentication_method: preferred,
    });
    return { kind: 'sms', id, to: phone };
  }
}
