import { randomBytes } from 'node:crypto';
import { candidates, typeNames, type Candidate, type Kind } from '../second-factor/kinds.ts';
import { sendCode } from '../second-factor/prove.ts';
import type { Pushes } from '../second-factor/push.ts';
import type { State } from '../state/state.ts';
import type { UserRecord } from '../state/users.ts';
import { TokenError } from '../oidc/resources.ts';
import type { MfaTransaction } from './mfa-tokens.ts';

/**
 * Who calls the MFA API: a login that needs its second factor, or a signed-in user with a token for
 * `/mfa/`.
 */
export interface MfaCaller {
  user: UserRecord;
  transaction?: MfaTransaction;
  scope: readonly string[];
}

const channels: Readonly<Record<Kind, string | undefined>> = {
  otp: undefined,
  push: 'auth0',
  sms: 'sms',
  email: 'email',
  recovery: undefined,
};

const typeOf = (kind: Kind): 'otp' | 'oob' | 'recovery-code' =>
  kind === 'otp' ? 'otp' : kind === 'recovery' ? 'recovery-code' : 'oob';

const masked = (to: string): string =>
  to.includes('@') ? to.replace(/^(..?)[^@]*/, '$1****') : `XXXXXXXX${to.slice(-4)}`;

/** `GET /mfa/authenticators`: what the user has, in the MFA API's words. */
export function listAuthenticators({ user }: MfaCaller): unknown[] {
  return candidates(user).map(({ kind, id, to }) => ({
    id,
    type: typeNames[kind],
    authenticator_type: typeOf(kind),
    active: true,
    ...(channels[kind] === undefined ? {} : { oob_channel: channels[kind] }),
    ...(to === undefined ? {} : { name: masked(to) }),
  }));
}

const newOobCode = (): string => `Fe26.2**${randomBytes(24).toString('hex')}`;

/**
 * Opens an out-of-band challenge: a code goes out, or a push. Throws TokenError when there were too
 * many.
 */
export function openChallenge(
  state: State,
  pushes: Pushes,
  { user, transaction }: MfaCaller,
  candidate: Candidate,
): string {
  const oobCode = newOobCode();
  const code = sendCode(state, user, candidate, oobCode);
  if (code === undefined)
    throw new TokenError(
      429,
      'too_many_attempts',
      'Too many codes were asked for. Try again later.',
    );
  if (candidate.kind === 'push') pushes.ask(oobCode, user.user_id);
  transaction?.challenges.set(oobCode, {
    authenticatorId: candidate.id,
    ...(candidate.kind === 'push' ? {} : { code }),
  });
  return oobCode;
}

/** `POST /mfa/challenge`: the authenticator named, else the first whose type is asked for. */
export function challenge(
  state: State,
  pushes: Pushes,
  caller: MfaCaller,
  members: Record<string, unknown>,
): Record<string, unknown> {
  const types =
    typeof members['challenge_type'] === 'string'
      ? members['challenge_type'].split(' ')
      : ['otp', 'oob'];
  if (!types.some((type) => type === 'otp' || type === 'oob')) {
    throw new TokenError(
      400,
      'unsupported_challenge_type',
      'User does not have any of the requested challenge types',
    );
  }
  const own = candidates(caller.user).filter(({ kind }) => kind !== 'recovery');
  if (own.length === 0)
    throw new TokenError(403, 'association_required', 'User must enroll an authenticator first');
  const named = members['authenticator_id'];
  const chosen = own.find(({ id, kind }) =>
    typeof named === 'string' ? id === named : types.includes(typeOf(kind)),
  );
  if (chosen === undefined || !types.includes(typeOf(chosen.kind))) {
    throw new TokenError(
      400,
      'unsupported_challenge_type',
      'User does not have any of the requested challenge types',
    );
  }
  if (chosen.kind === 'otp') return { challenge_type: 'otp' };
  const oobCode = openChallenge(state, pushes, caller, chosen);
  return {
    challenge_type: 'oob',
    oob_code: oobCode,
    ...(chosen.kind === 'push' ? {} : { binding_method: 'prompt' }),
  };
}
