import { randomBytes } from 'node:crypto';

/** A fresh id of a connected account: `cac_` and 22 letters and digits, the form of Auth0's OpenAPI file. */
export function newAccountId(): string {
  return `cac_${randomBytes(11).toString('hex')}`;
}
