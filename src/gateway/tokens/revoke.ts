import type { Auth0 } from '../auth0/auth0.ts';
import type { Log } from '../http/log.ts';
import type { Session, Sessions } from '../session/sessions.ts';

/** Makes the revocation of a session's refresh token (RFC 7009): best effort, never waited for, never a reason to stay signed in. */
export const createRevoke =
  ({ auth0, log }: { auth0: Auth0; log: Log }) =>
  ({ record: { refreshToken } }: Pick<Session, 'record'>): void => {
    if (refreshToken === undefined) return;
    auth0.revoke(refreshToken).catch((err: unknown) => {
      log.warn({ event: 'revoke_failed', err }, 'a refresh token could not be revoked; it ends by its own lifetime');
    });
  };

/** Ends the session that a browser had before it signed in anew. */
export type EndFormer = (former: Session, subject: string) => Promise<void>;

/**
 * Makes it. The former's refresh token is revoked where it was another user's. The same user's is not: a tenant may be set to delete the whole grant with a
 * revoked token ("Refresh Token Revocation Deletes Grant"), and the session that has just begun would end with it. It lapses by itself, and nobody holds it.
 */
export const createEndFormer =
  ({ sessions, revoke }: { sessions: Sessions; revoke: (left: Session) => void }): EndFormer =>
  async (former, subject) => {
    await sessions.end(former);
    if (former.record.sub !== subject) revoke(former);
  };
