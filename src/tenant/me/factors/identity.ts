import type { StartIdentity } from '../bodies.ts';
import type { Call } from '../parts.ts';
import { Problem } from '../problems.ts';

/** The identity a password or passkey is for: the user's one identity, or a refusal when the body names another. */
export function ownIdentity(
  { user }: Call,
  { connection, identity_user_id }: StartIdentity,
): string {
  if (identity_user_id !== undefined && identity_user_id !== user.user_id) {
    throw new Problem('invalid_request', { detail: 'The user has no such identity.' });
  }
  if (connection !== undefined && connection !== user.connection) {
    throw new Problem('invalid_request', {
      detail: 'The user has no identity of this connection.',
    });
  }
  return user.user_id;
}
