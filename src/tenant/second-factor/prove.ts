import { randomInt } from 'node:crypto';
import { verifySync } from 'otplib';
import { stepLimits } from '../state/plans.ts';
import { newRecoveryCode } from '../state/new-user.ts';
import type { State } from '../state/state.ts';
import type { UserRecord } from '../state/users.ts';
import { enrolled, type Candidate } from './kinds.ts';

/** How an attempt ended: `limited` when there were too many wrong ones before it. */
export type Proof = 'proved' | 'wrong' | 'limited';

/**
 * Is this a code of the secret now or half a minute away (RFC 6238)? The authenticator app has the
 * machine's clock, whatever the tenant's says.
 */
export const isTotpCode = (secret: string, code: string): boolean =>
  /^\d{6}$/.test(code) && verifySync({ secret, token: code, epochTolerance: 30 }).valid;

/** Counts a wrong attempt against Auth0's limit; true when the user has none left. */
function exhausted(state: State, user: UserRecord, kind: 'otp' | 'recovery'): boolean {
  const limit = kind === 'otp' ? stepLimits.mfaOtpFailure : stepLimits.mfaRecoveryFailure;
  return (
    state.settings().limits.enforced &&
    !state.buckets.look(`mfa ${kind} ${user.user_id}`, limit).allowed
  );
}

/** Checks a code of any of the user's authenticator apps. Ten wrong ones in an hour close it. */
export function proveOtp(state: State, user: UserRecord, code: string): Proof {
  if (exhausted(state, user, 'otp')) return 'limited';
  const app = enrolled(user).find(
    ({ kind, method }) =>
      kind === 'otp' && isTotpCode(method?.secrets.totpSecret ?? '', code.trim()),
  );
  if (app?.method !== undefined) return used(state, app);
  state.buckets.take(`mfa otp ${user.user_id}`, stepLimits.mfaOtpFailure);
  return 'wrong';
}

/** Checks a recovery code; a good one is spent, and the user's new one is answered. */
export function proveRecovery(
  state: State,
  user: UserRecord,
  code: string,
): { proof: Proof; next?: string } {
  if (exhausted(state, user, 'recovery')) return { proof: 'limited' };
  const wanted = code.replaceAll(/[\s-]/g, '').toUpperCase();
  const found = enrolled(user).find(
    ({ kind, method }) => kind === 'recovery' && method?.secrets.recoveryCode === wanted,
  );
  if (found?.method === undefined) {
    state.buckets.take(`mfa recovery ${user.user_id}`, stepLimits.mfaRecoveryFailure);
    return { proof: 'wrong' };
  }
  const next = newRecoveryCode();
  found.method.secrets.recoveryCode = next;
  return { proof: used(state, found), next };
}

/**
 * Sends a code (or a push) for a candidate; undefined when the user has had too many. The code is
 * read with GET /_control/messages.
 */
export function sendCode(
  state: State,
  user: UserRecord,
  candidate: Candidate,
  reference: string,
): string | undefined {
  const { kind, to = user.user_id } = candidate;
  const limit =
    kind === 'push' ? stepLimits.mfaPush : kind === 'sms' ? stepLimits.mfaSms : stepLimits.mfaEmail;
  if (
    state.settings().limits.enforced &&
    !state.buckets.take(`mfa ${kind} ${user.user_id}`, limit).allowed
  )
    return undefined;
  const code = String(randomInt(1_000_000)).padStart(6, '0');
  state.messages.send({
    channel: kind === 'otp' || kind === 'recovery' ? 'email' : kind,
    to,
    userId: user.user_id,
    code,
    reference,
  });
  return code;
}

/** Notes on a method that it was used now. */
export function used(state: State, { method }: Candidate): 'proved' {
  if (method !== undefined) Object.assign(method.view, { last_auth_at: state.clock.iso() });
  return 'proved';
}
