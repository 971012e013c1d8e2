import { errors, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';
import type { UserRecord } from '../state/users.ts';
import { isSecondFactor } from '../state/methods.ts';
import { findApi } from './audiences.ts';
import { multiFactor, parameter, scopeList, type Parts } from './context.ts';
import { provedMfa } from './grants.ts';
import { outsideOrganization } from './organizations.ts';

const { Check, Prompt, base } = interactionPolicy;

/**
 * Can this user be asked for a second factor: an enrolled one, or a verified e-mail address for a
 * code?
 */
export const canProveMfa = (user: UserRecord): boolean =>
  user.methods.some(isSecondFactor) || user.email_verified;

/** Is the Default Policy ("Require 2FA") in force for this audience? */
export function defaultPolicyHolds(
  { state, origins }: Parts,
  audience: string | undefined,
): boolean {
  const settings = state.settings();
  if (
    audience === undefined ||
    settings.my_account.default_policy === 'none' ||
    settings.mfa.action_disables
  )
    return false;
  return findApi(settings, origins(), audience)?.isMyAccount === true;
}

/**
 * Which rule demands a second factor now; an Action outranks the Default Policy, which outranks the
 * tenant's policy. Undefined when none does.
 */
function demandedBy(
  parts: Parts,
  ctx: KoaContextWithOIDC,
): 'tenant' | 'default_policy' | 'action' | undefined {
  const { state, logins } = parts;
  const { mfa, my_account: me } = state.settings();
  if (mfa.action_disables) return undefined;
  const last = logins.mfaBySession.get(ctx.oidc.session?.uid ?? '');
  if (mfa.acr_values_action && scopeList(parameter(ctx, 'acr_values')).includes(multiFactor))
    return 'action';
  const audiences = Object.keys(ctx.oidc.resourceServers ?? {});
  const fresh = last !== undefined && state.clock.now() - last < me.default_policy_seconds * 1000;
  if (audiences.some((audience) => defaultPolicyHolds(parts, audience)) && !fresh)
    return 'default_policy';
  return mfa.always && last === undefined ? 'tenant' : undefined;
}

/**
 * What the user may be asked on the way: sign in, choose an account, prove a second factor, agree;
 * in this order. With prompt=none each becomes its error: login_required, interaction_required,
 * unmet_authentication_requirements, consent_required.
 */
export function signInPolicy(parts: Parts): interactionPolicy.DefaultPolicy {
  const user = (ctx: KoaContextWithOIDC): UserRecord | undefined =>
    parts.state.users.get(ctx.oidc.session?.accountId ?? '');
  const asks = (
    ctx: KoaContextWithOIDC,
    rule: (demand: string | undefined, user: UserRecord) => boolean,
  ): boolean => {
    const person = user(ctx);
    return person !== undefined && !provedMfa(ctx) && rule(demandedBy(parts, ctx), person);
  };
  const policy = base();
  policy
    .get('login')
    ?.checks.push(
      new Check(
        'user_gone',
        'Login required',
        'login_required',
        (ctx) => ctx.oidc.session?.accountId !== undefined && user(ctx) === undefined,
      ),
      new Check('not_a_member', 'Login required', 'login_required', (ctx) =>
        outsideOrganization(parts, ctx),
      ),
    );
  policy.add(new Prompt({ name: 'select_account', requestable: true }), 1);
  policy.add(
    new Prompt(
      { name: 'mfa' },
      new Check('denied', 'Access denied', (ctx) => {
        const person = user(ctx);
        if (person !== undefined) refuseDenied(parts, person);
        return false;
      }),
      new Check(
        'default_policy',
        'Unmet authentication requirements',
        'unmet_authentication_requirements',
        (ctx) => asks(ctx, (demand, person) => demand === 'default_policy' && canProveMfa(person)),
      ),
      new Check('mfa', 'Multifactor authentication required', 'interaction_required', (ctx) =>
        asks(ctx, (demand) => demand === 'action' || demand === 'tenant'),
      ),
    ),
    2,
  );
  return policy;
}

/**
 * Throws what Auth0 answers for a user who is blocked, or whom an Action denies: after the sign-in,
 * and silently each time after it.
 */
function refuseDenied({ state }: Parts, user: UserRecord): void {
  if (user.blocked) throw new errors.CustomOIDCProviderError('unauthorized', 'user is blocked');
  const denied = state.settings().denied_users[user.email];
  if (denied !== undefined) throw new errors.CustomOIDCProviderError('access_denied', denied);
}
