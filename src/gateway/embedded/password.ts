import { createHash } from 'node:crypto';
import type { RequestHandler } from 'express';
import { attemptsOf } from './address.ts';
import type { Attempts } from './attempts.ts';
import { schemas, bodyOf } from './schemas.ts';
import type { SignIn } from './sign-in.ts';

const grantType = 'http://auth0.com/oauth/grant-type/password-realm';

/**
 * Makes `POST /auth/password` (the password-realm grant, after RFC 6749 section 4.3): name and
 * password go on to Auth0 once and are kept nowhere.
 */
export const createPasswordLogin =
  ({
    attempts,
    signIn,
    realm,
  }: {
    attempts: Attempts;
    signIn: SignIn;
    realm: string;
  }): RequestHandler =>
  async (req, res) => {
    const { username, password } = bodyOf(req, schemas.password);
    // Names differ in case and spelling where Auth0 sees one account.
    const account = createHash('sha256')
      .update(username.trim().normalize('NFKC').toLowerCase())
      .digest('base64url');
    await attempts.take('address', attemptsOf(req.ip ?? ''));
    await attempts.take('password', account);
    await signIn(req, res, { type: grantType, members: { username, password, realm }, account });
    res.json({ authenticated: true });
  };
