import type { TokenEndpointGrantContext } from 'oidc-provider';
import type { Parts } from '../oidc/context.ts';
import { TokenError } from '../oidc/resources.ts';
import { isTotpCode, proveOtp, proveRecovery, used, type Proof } from '../second-factor/prove.ts';
import type { Pushes } from '../second-factor/push.ts';
import { stepLimits } from '../state/plans.ts';
import type { MethodRecord } from '../state/methods.ts';
import type { UserRecord } from '../state/users.ts';
import { issueTokens } from './issue.ts';
import type { MfaTokens, MfaTransaction } from './mfa-tokens.ts';

interface MfaParameters {
  mfa_token?: string;
  otp?: string;
  oob_code?: string;
  binding_code?: string;
  recovery_code?: string;
}

type Handler = (ctx: TokenEndpointGrantContext<MfaParameters>) => Promise<void>;

const refused = (text: string): TokenError => new TokenError(403, 'invalid_grant', text);

/** The three grants that finish a login with a second factor; each spends its mfa_token. */
export function mfaGrants(
  parts: Parts,
  tokens: MfaTokens,
  pushes: Pushes,
): { otp: Handler; oob: Handler; recovery: Handler } {
  const { state } = parts;

  function begin(ctx: TokenEndpointGrantContext<MfaParameters>): {
    transaction: MfaTransaction;
    user: UserRecord;
  } {
    const { mfa_token: token } = ctx.oidc.params;
    if (token === undefined)
      throw new TokenError(400, 'invalid_request', 'Missing required parameter: mfa_token');
    const transaction = tokens.find(token);
    if (transaction === 'expired')
      throw new TokenError(403, 'expired_token', 'mfa_token is expired');
    const user = state.users.get(transaction?.login.userId ?? '');
    if (
      transaction === undefined ||
      user === undefined ||
      transaction.login.clientId !== ctx.oidc.client.clientId
    ) {
      throw refused('Malformed mfa_token');
    }
    return { transaction, user };
  }

  async function finish(
    ctx: TokenEndpointGrantContext<MfaParameters>,
    { token, login }: MfaTransaction,
    way: string,
    extra: Record<string, unknown> = {},
  ): Promise<void> {
    tokens.end(token);
    await issueTokens(parts, ctx, { ...login, way, mfaAt: state.clock.now() }, extra);
  }

  function demand(proof: Proof, text: string): void {
    if (proof === 'limited')
      throw new TokenError(
        429,
        'too_many_attempts',
        'Too many failed codes. Wait for some minutes before retrying.',
      );
    if (proof === 'wrong') throw refused(text);
  }

  return {
    async otp(ctx) {
      const { transaction, user } = begin(ctx);
      const code = ctx.oidc.params.otp ?? '';
      const fresh = user.methods.find(({ view }) => view.id === transaction.enrolling?.methodId);
      // A factor being enrolled on the way is confirmed by its first good code.
      if (fresh !== undefined && isTotpCode(fresh.secrets.totpSecret ?? '', code)) {
        confirm(user, fresh);
        used(state, { kind: 'otp', id: fresh.view.id, method: fresh });
      } else demand(proveOtp(state, user, code), 'Invalid otp_code.');
      await finish(ctx, transaction, 'mfa-otp');
    },
    async oob(ctx) {
      const { transaction, user } = begin(ctx);
      const { oob_code: oobCode = '', binding_code: bindingCode } = ctx.oidc.params;
      if (
        state.settings().limits.enforced &&
        !state.buckets.take(`mfa oob ${transaction.token}`, stepLimits.mfaOobExchange).allowed
      ) {
        throw new TokenError(
          429,
          'slow_down',
          'You are polling faster than allowed. Try again later.',
        );
      }
      const challenge = transaction.challenges.get(oobCode);
      if (challenge === undefined) throw refused('Invalid oob_code.');
      if (challenge.code !== undefined)
        demand(challenge.code === bindingCode ? 'proved' : 'wrong', 'Invalid binding_code.');
      else {
        const answer = pushes.state(oobCode);
        if (answer === 'rejected') throw refused('MFA Authorization rejected.');
        if (answer !== 'approved')
          throw new TokenError(
            400,
            'authorization_pending',
            'Authorization pending: please repeat the request in a few seconds.',
          );
      }
      const method = user.methods.find(({ view }) => view.id === challenge.authenticatorId);
      if (method !== undefined) {
        confirm(user, method);
        used(state, { kind: 'sms', id: method.view.id, method });
      }
      await finish(ctx, transaction, 'mfa-oob');
    },
    async recovery(ctx) {
      const { transaction, user } = begin(ctx);
      const { proof, next } = proveRecovery(state, user, ctx.oidc.params.recovery_code ?? '');
      demand(proof, 'Invalid recovery code.');
      await finish(ctx, transaction, 'mfa-recovery-code', { recovery_code: next });
    },
  };
}

/**
 * A factor that was proved is confirmed, and with it the recovery code that came with its
 * association.
 */
function confirm(user: UserRecord, proved: MethodRecord): void {
  for (const method of user.methods)
    if (method === proved || method.view.type === 'recovery-code')
      Object.assign(method.view, { confirmed: true });
}
