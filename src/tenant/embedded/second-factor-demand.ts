import type { Parts } from '../oidc/context.ts';
import { canProveMfa, defaultPolicyHolds } from '../oidc/policy.ts';
import type { DemandMfa } from '../oidc/refresh.ts';
import type { PendingLogin } from './mfa-tokens.ts';

/** Throws mfa_required when the tenant's policy or the Default Policy wants a second factor for an embedded login. */
export function demandSecondFactor(parts: Parts, login: PendingLogin, demandMfa: DemandMfa): void {
  const user = parts.state.users.get(login.userId);
  if (user === undefined) return;
  const { always, action_disables: off } = parts.state.settings().mfa;
  const byTenant = always && !off;
  const byDefaultPolicy = defaultPolicyHolds(parts, login.audience) && canProveMfa(user);
  if (byTenant || byDefaultPolicy) throw demandMfa(login);
}
