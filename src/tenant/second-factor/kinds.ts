import { isSecondFactor, type MethodRecord } from '../state/methods.ts';
import type { UserRecord } from '../state/users.ts';

/** The ways the tenant asks for a second factor; each is a page and a kind of the MFA API. */
export type Kind = 'otp' | 'push' | 'sms' | 'email' | 'recovery';

/** The `type` by which the MFA API and `mfa_requirements` name a kind. */
export const typeNames: Readonly<Record<Kind, string>> = {
  otp: 'otp',
  push: 'push-notification',
  sms: 'phone',
  email: 'email',
  recovery: 'recovery-code',
};

/** One second factor a user can prove now. */
export interface Candidate {
  kind: Kind;
  /** The authenticator's id in the MFA API. */
  id: string;
  /** Where a code goes: an address or a number. */
  to?: string;
  method?: MethodRecord;
}

const kindOf: Partial<Record<MethodRecord['view']['type'], Kind>> = {
  totp: 'otp',
  'push-notification': 'push',
  phone: 'sms',
  email: 'email',
  'recovery-code': 'recovery',
};

const order: readonly Kind[] = ['otp', 'push', 'sms', 'email', 'recovery'];

/** What a user has enrolled and confirmed, the usual one first. */
export function enrolled(user: UserRecord): Candidate[] {
  const found = user.methods.filter(isSecondFactor).flatMap((method): Candidate[] => {
    const kind = kindOf[method.view.type];
    if (kind === undefined) return [];
    const to =
      method.view.type === 'phone'
        ? method.view.phone_number
        : method.view.type === 'email'
          ? method.view.email
          : undefined;
    return [{ kind, id: method.view.id, method, ...(to === undefined ? {} : { to }) }];
  });
  return found.sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
}

/** What a user can be asked for: the enrolled, else a code to their verified e-mail address. */
export function candidates(user: UserRecord): Candidate[] {
  const own = enrolled(user);
  if (own.length > 0 || !user.email_verified) return own;
  return [{ kind: 'email', id: 'email|verified', to: user.email }];
}

/** Auth0's path for each kind of challenge. */
export const challengePaths: Readonly<Record<Kind, string>> = {
  otp: '/u/mfa-otp-challenge',
  push: '/u/mfa-push-challenge',
  sms: '/u/mfa-sms-challenge',
  email: '/u/mfa-email-challenge',
  recovery: '/u/mfa-recovery-code-challenge',
};

/**
 * The page that asks this user for a second factor: the challenge of the usual one, or enrolment
 * for who has none.
 */
export function mfaPath(user: UserRecord | undefined, reasons: readonly string[]): string {
  if (user === undefined) return '/u/mfa-otp-enrollment';
  const usable = reasons.includes('default_policy') ? candidates(user) : enrolled(user);
  return usable[0] === undefined ? '/u/mfa-otp-enrollment' : challengePaths[usable[0].kind];
}
