import { createHash } from 'node:crypto';
import type { RequestHandler } from 'express';
import { attemptsOf } from './address.ts';
import type { Attempts } from './attempts.ts';
import { bodies, bodyOf } from './bodies.ts';
import type { Enter } from './enter.ts';

const grantType = 'http://auth0.com/oauth/grant-type/password-realm';

/** Makes `POST /auth/password` (the password-realm grant, after RFC 6749 section 4.3): name and password go on to Auth0 once and are kept nowhere. */
export const createPasswordLogin =
  ({ attempts, enter, realm }: { attempts: Attempts; enter: Enter; realm: string }): RequestHandler =>
  async (req, res) => {
    const { username, password } = bodyOf(req, bodies.password);
    // Names differ in case and spelling where Auth0 sees one account.
    const account = createHash('sha256').update(username.trim().normalize('NFKC').toLowerCase()).digest('base64url');
    await attempts.take('address', attemptsOf(req.ip ?? ''));
    await attempts.take('password', account);
    await enter(req, res, { type: grantType, members: { username, password, realm }, account });
    res.json({ authenticated: true });
  };
