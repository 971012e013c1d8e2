import { Router } from 'express';
import { otherMethod } from './other-method.ts';

/**
 * Makes the two addresses where a browser or a password manager looks for the account page:
 * `/.well-known/passkey-endpoints` (W3C, Passkey Endpoints) and `/.well-known/change-password`
 * (W3C, A Well-Known URL for Changing Passwords). `page` is a path of `origin`.
 */
export const createWellKnown = (origin: string, page: string): Router => {
  const wellKnown = Router();
  const address = origin + page;
  wellKnown
    .route('/.well-known/passkey-endpoints')
    .get((_req, res) => void res.json({ enroll: address, manage: address }))
    .all(otherMethod('GET'));
  wellKnown
    .route('/.well-known/change-password')
    .get((_req, res) => {
      res.redirect(302, page);
    })
    .all(otherMethod('GET'));
  return wellKnown;
};
