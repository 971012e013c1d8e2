import type { RequestHandler } from 'express';
import { z } from 'zod';
import type { EmbeddedEndpoints } from '../auth0/endpoints.ts';
import { OAuthError } from '../auth0/grant.ts';
import { Failure } from '../http/errors.ts';
import { attemptsOf } from './address.ts';
import type { Attempts } from './attempts.ts';
import { schemas, bodyOf } from './schemas.ts';
import type { SignIn } from './sign-in.ts';
import type { Pending } from '../session/pending.ts';
import { findPending, type PendingOf, type PendingSignIn } from './pending.ts';
import { failureOf } from './oauth-errors.ts';

// What of Auth0's answers a page may see; `oob_code` and `mfa_token` are not among it.
const authenticator = z.object({
  id: z.string(),
  authenticator_type: z.string(),
  active: z.boolean().optional(),
  oob_channel: z.string().optional(),
  name: z.string().optional(),
  type: z.string().optional(),
});
const begun = z.object({
  challenge_type: z.string().optional(),
  authenticator_type: z.string().optional(),
  oob_channel: z.string().optional(),
  binding_method: z.string().optional(),
  secret: z.string().optional(),
  barcode_uri: z.string().optional(),
  recovery_codes: z.array(z.string()).optional(),
});
const pollSeconds = 5;

/**
 * Makes the MFA continuation of a login without a redirect: the `mfa_token` and the `oob_code` of
 * Auth0 stay here.
 */
export const createMfaLogin = (parts: {
  embedded: EmbeddedEndpoints;
  pendings: Pending<PendingSignIn>;
  attempts: Attempts;
  signIn: SignIn;
}): {
  authenticators: RequestHandler;
  challenge: RequestHandler;
  associate: RequestHandler;
  verify: RequestHandler;
} => {
  const { embedded, pendings, attempts, signIn } = parts;
  const asked = async <T>(call: Promise<T>): Promise<T> =>
    call.catch((cause: unknown) => {
      throw failureOf(cause);
    });
  const keep = async (
    entry: PendingOf<'mfa'>,
    answer: Readonly<Record<string, unknown>>,
  ): Promise<z.output<typeof begun>> => {
    const oobCode = answer['oob_code'];
    if (
      !(await entry.replace({
        ...entry.value,
        oobCode: typeof oobCode === 'string' ? oobCode : undefined,
      }))
    )
      throw new Failure('login_expired', {
        detail: 'This sign-in was ended or went on elsewhere. Begin again.',
      });
    return begun.parse(answer);
  };

  return {
    async authenticators(req, res) {
      await attempts.take('address', attemptsOf(req.ip ?? ''));
      const { value } = await findPending(pendings, req, res, 'mfa');
      res.json(z.array(authenticator).parse(await asked(embedded.authenticators(value.mfaToken))));
    },
    async challenge(req, res) {
      const members = bodyOf(req, schemas.mfaChallenge);
      await attempts.take('address', attemptsOf(req.ip ?? ''));
      const entry = await findPending(pendings, req, res, 'mfa');
      await attempts.take('message', entry.value.account);
      res.json(await keep(entry, await asked(embedded.challenge(entry.value.mfaToken, members))));
    },
    async associate(req, res) {
      const members = bodyOf(req, schemas.mfaAssociate);
      await attempts.take('address', attemptsOf(req.ip ?? ''));
      const entry = await findPending(pendings, req, res, 'mfa');
      await attempts.take('message', entry.value.account);
      res.json(await keep(entry, await asked(embedded.associate(entry.value.mfaToken, members))));
    },
    async verify(req, res) {
      const members = bodyOf(req, schemas.mfaVerify);
      const entry = await findPending(pendings, req, res, 'mfa');
      const { mfaToken, oobCode, account, dpop } = entry.value;
      const proof = 'otp' in members ? 'otp' : 'recovery_code' in members ? 'recovery-code' : 'oob';
      if (proof === 'oob' && oobCode === undefined)
        throw new Failure('invalid_request', {
          detail: 'No code or push was asked for: POST /auth/mfa/challenge first.',
        });
      if (Object.keys(members).length === 0) {
        await attempts.take('poll', entry.id);
      } else {
        await attempts.take('address', attemptsOf(req.ip ?? ''));
        await attempts.take('code', account);
      }
      const type = `http://auth0.com/oauth/grant-type/mfa-${proof}`;
      // Scope and audience are those of the login that was interrupted.
      const all = {
        ...members,
        mfa_token: mfaToken,
        ...(proof === 'oob' && { oob_code: oobCode }),
        scope: undefined,
        audience: undefined,
      };
      try {
        const { recoveryCode } = await signIn(req, res, { type, members: all, account, dpop });
        await entry.consume();
        res.json({
          authenticated: true,
          ...(recoveryCode !== undefined && { recovery_code: recoveryCode }),
        });
      } catch (cause) {
        if (!waiting(cause)) throw cause;
        res
          .status(202)
          .set('Retry-After', String(pollSeconds))
          .json({ authenticated: false, pending: true });
      }
    },
  };
};

// A push nobody has answered yet is no failure: ask again.
const waiting = (failure: unknown): boolean =>
  failure instanceof Failure &&
  failure.cause instanceof OAuthError &&
  ['authorization_pending', 'slow_down'].includes(failure.cause.error);
