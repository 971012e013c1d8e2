import type { Request, RequestHandler, Response } from 'express';
import type { EmbeddedEndpoints } from '../auth0/endpoints.ts';
import { Failure } from '../http/errors.ts';
import { attemptsOf } from './address.ts';
import type { Attempts } from './attempts.ts';
import { schemas, bodyOf } from './schemas.ts';
import type { SignIn } from './sign-in.ts';
import type { Pending } from '../session/pending.ts';
import { findPending, type PendingSignIn } from './pending.ts';
import { failureOf } from './oauth-errors.ts';

const grantType = 'urn:okta:params:oauth:grant-type:webauthn';

/**
 * Makes the three routes of native passkeys: Auth0's `auth_session` stays here, the browser gets
 * the WebAuthn options and nothing else.
 */
export const createPasskeyLogin = (parts: {
  embedded: EmbeddedEndpoints;
  pendings: Pending<PendingSignIn>;
  attempts: Attempts;
  signIn: SignIn;
}): { challenge: RequestHandler; register: RequestHandler; verify: RequestHandler } => {
  const { embedded, pendings, attempts, signIn } = parts;

  const begin = async (
    req: Request,
    res: Response,
    step: 'challenge' | 'register',
    members: Record<string, unknown>,
  ): Promise<void> => {
    await attempts.take('address', attemptsOf(req.ip ?? ''));
    const { authSession, publicKey } = await embedded
      .passkey(step, members)
      .catch((cause: unknown) => {
        throw failureOf(cause);
      });
    await pendings.begin(req, res, { kind: 'passkey', authSession });
    res.json({ authn_params_public_key: publicKey });
  };

  return {
    challenge: async (req, res) =>
      begin(req, res, 'challenge', bodyOf(req, schemas.passkeyChallenge)),
    register: async (req, res) => begin(req, res, 'register', bodyOf(req, schemas.passkeyRegister)),
    async verify(req, res) {
      const members = bodyOf(req, schemas.passkeyVerify);
      await attempts.take('address', attemptsOf(req.ip ?? ''));
      const entry = await findPending(pendings, req, res, 'passkey');
      if (!(await entry.consume()))
        throw new Failure('login_expired', { detail: 'This sign-in was already finished once.' });
      const account = `passkey ${members.authn_response.id}`;
      await signIn(req, res, {
        type: grantType,
        members: { ...members, auth_session: entry.value.authSession },
        account,
      });
      res.json({ authenticated: true });
    },
  };
};
