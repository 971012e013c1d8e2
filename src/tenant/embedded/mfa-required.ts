import type { Parts } from '../oidc/context.ts';
import { canProveMfa, defaultPolicyHolds } from '../oidc/policy.ts';
import type { DemandMfa } from '../oidc/refresh.ts';
import type { State } from '../state/state.ts';
import { TokenError } from '../oidc/resources.ts';
import { candidates, typeNames } from '../second-factor/kinds.ts';
import type { MfaTokens, PendingLogin } from './mfa-tokens.ts';

/**
 * Makes the answer `mfa_required`: an mfa_token, and what the user can be challenged with or has to
 * enrol.
 */
export function createMfaDemand(state: State, tokens: MfaTokens) {
  return (login: PendingLogin): TokenError => {
    const user = state.users.get(login.userId);
    const own = user === undefined ? [] : candidates(user);
    const requirements =
      own.length > 0
        ? {
            challenge: [...new Set(own.map(({ kind }) => typeNames[kind]))].map((type) => ({
              type,
            })),
          }
        : { enroll: ['otp', 'phone', 'push-notification', 'email'].map((type) => ({ type })) };
    return new TokenError(
      state.settings().switches.mfaRequiredStatus,
      'mfa_required',
      'Multifactor authentication required',
      {
        mfa_token: tokens.issue(login).token,
        mfa_requirements: requirements,
      },
    );
  };
}

/**
 * Throws mfa_required when the tenant's policy or the Default Policy wants a second factor for an
 * embedded login.
 */
export function demandSecondFactor(parts: Parts, login: PendingLogin, demandMfa: DemandMfa): void {
  const user = parts.state.users.get(login.userId);
  if (user === undefined) return;
  const { always, action_disables: off } = parts.state.settings().mfa;
  const byTenant = always && !off;
  const byDefaultPolicy = defaultPolicyHolds(parts, login.audience) && canProveMfa(user);
  if (byTenant || byDefaultPolicy) throw demandMfa(login);
}
