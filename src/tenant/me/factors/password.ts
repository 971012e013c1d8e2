import { hashPassword, passwordMatches } from '../../state/passwords.ts';
import type { MethodRecord } from '../../state/methods.ts';
import type { StartIdentity, VerifyPassword } from '../bodies.ts';
import { passwordPolicy, refusedPassword } from '../password-policy.ts';
import { Problem } from '../problems.ts';
import { type Factor, ownIdentity } from './factor.ts';

/** The user's password: shown the policy first, then set or replaced; there is one per identity. */
export const password: Factor<VerifyPassword, StartIdentity> = {
  start(call, body) {
    const { state, settings, user } = call;
    const identity = ownIdentity(call, body);
    const method: MethodRecord = {
      view: {
        id: 'password|new',
        type: 'password',
        identity_user_id: identity,
        usage: ['primary'],
        created_at: state.clock.iso(),
      },
      secrets: {},
    };
    const enrolment = state.enrolments.start({ userId: user.user_id, method });
    return {
      id: 'password|new',
      enrolment,
      body: { id: 'password|new', policy: passwordPolicy(settings.password_policy) },
    };
  },
  finish({ state, settings, user }, { method: { view } }, { new_password }) {
    const tell = (): void => {
      if (settings.switches.passwordChangeEndsSessions)
        state.accountEvents.tell(user.user_id, 'password-changed');
    };
    const old = user.methods.find((one) => one.view.type === 'password');
    const hashes = [old?.secrets.passwordHash, ...(old?.secrets.passwordHistory ?? [])].filter(
      (hash) => hash !== undefined,
    );
    const { history_size } = settings.password_policy;
    const reason = refusedPassword(
      new_password,
      settings.password_policy,
      (hash) => passwordMatches(new_password, hash),
      hashes,
    );
    if (reason !== undefined) throw new Problem('refused_proof', { detail: reason });
    const secrets = {
      passwordHash: hashPassword(new_password),
      passwordHistory: hashes.slice(0, history_size),
    };
    if (old?.view.type === 'password') {
      old.secrets = secrets;
      old.view.last_password_reset = state.clock.iso();
      tell();
      return old.view;
    }
    const made = { ...view, id: `password|${Buffer.from(user.user_id).toString('base64url')}` };
    user.methods.push({ view: made, secrets });
    return made;
  },
};
