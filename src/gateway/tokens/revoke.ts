import type { Auth0 } from '../auth0/auth0.ts';
import type { Log } from '../http/log.ts';
import type { Session } from '../session/sessions.ts';

/** Makes the revocation of a session's refresh token (RFC 7009): best effort, never waited for, never a reason to stay signed in. */
export const createRevoke =
  ({ auth0, log }: { auth0: Auth0; log: Log }) =>
  ({ record: { refreshToken } }: Pick<Session, 'record'>): void => {
    if (refreshToken === undefined) return;
    auth0.revoke(refreshToken).catch((err: unknown) => {
      log.warn({ event: 'revoke_failed', err }, 'a refresh token could not be revoked; it ends by its own lifetime');
    });
  };
