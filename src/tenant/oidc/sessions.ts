import type { Initiator } from '../state/account-events.ts';
import type { Delivery, NotifyLogout } from './back-channel.ts';
import type { Parts } from './context.ts';

/** The browser sessions at the tenant, as something to be ended. */
export interface Sessions {
  /**
   * Ends sessions of a user (one, when `sid` is given) and tells the applications; what was told to
   * whom. Refresh tokens outlive it, as at Auth0.
   */
  end(which: { userId?: string; sid?: string }, initiator: Initiator): Promise<Delivery[]>;
  /** As `end`, without waiting for the applications. */
  endSoon(which: { userId?: string; sid?: string }, initiator: Initiator): void;
  /** Revokes refresh tokens: all of a user, or those of one application. */
  revoke(which: { userId: string; clientId?: string }): number;
  /** Resolves when no logout token is on its way. */
  settled(): Promise<void>;
}

/** Makes the sessions of one tenant. */
export function createSessions({ store, logins }: Parts, notify: NotifyLogout): Sessions {
  const underway = new Set<Promise<unknown>>();
  const end: Sessions['end'] = async ({ userId, sid }, initiator) => {
    const found = store.sessions().filter((session) => {
      if (session.accountId === undefined || session.uid === undefined) return false;
      return (
        (userId === undefined || session.accountId === userId) &&
        (sid === undefined || session.uid === sid)
      );
    });
    const told = found.map(async ({ uid = '', accountId = '', authorizations = {} }) => {
      store.dropSession(uid);
      logins.mfaBySession.delete(uid);
      return notify(
        { userId: accountId, sid: uid, clientIds: Object.keys(authorizations) },
        initiator,
      );
    });
    return (await Promise.all(told)).flat();
  };
  return {
    end,
    endSoon(which, initiator) {
      const telling: Promise<unknown> = end(which, initiator).finally(() =>
        underway.delete(telling),
      );
      underway.add(telling);
    },
    revoke(which) {
      const grants = store.grants(which);
      for (const grant of grants) store.revokeGrant(grant);
      return grants.length;
    },
    async settled() {
      await Promise.allSettled(underway);
    },
  };
}
