import type { Auth0 } from '../auth0/auth0.ts';
import type { Background } from '../http/background.ts';
import type { Log } from '../http/log.ts';
import type { SessionRecord } from '../session/record.ts';
import type { Session, Sessions } from '../session/sessions.ts';

/**
 * Revokes the refresh token of a session or a grant (RFC 7009) in the background, which only a stop
 * waits for; a failure is logged.
 */
export type Revoke = (left: { readonly record: Pick<SessionRecord, 'refreshToken'> }) => void;

/** Makes it. */
export const createRevoke =
  ({ auth0, background, log }: { auth0: Auth0; background: Background; log: Log }): Revoke =>
  ({ record: { refreshToken } }) => {
    if (refreshToken === undefined) return;
    background.track(auth0.revoke(refreshToken)).catch((err: unknown) => {
      log.warn(
        { event: 'revoke_failed', err },
        'a refresh token could not be revoked; it ends by its own lifetime',
      );
    });
  };

/** Ends the session that a browser had before it signed in anew. */
export type EndFormer = (former: Session, subject: string) => Promise<void>;

/**
 * Makes it. The former's refresh token is revoked where it was another user's. The same user's is
 * not: a tenant may be set to delete the whole grant with a revoked token ("Refresh Token
 * Revocation Deletes Grant"), and the session that has just begun would end with it. It expires by
 * itself, and nobody holds it.
 */
export const createEndFormer =
  ({ sessions, revoke }: { sessions: Sessions; revoke: Revoke }): EndFormer =>
  async (former, subject) => {
    if (former.record.sub === subject) {
      await sessions.passOn(former);
      return;
    }
    await sessions.end(former);
    revoke(former);
  };
