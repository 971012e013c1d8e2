import type { Events } from './events.ts';
import type { Seal } from './seal.ts';
import type { Store } from './store.ts';
import { sidKey, userKey } from './ticket.ts';

/** One of the user's sessions as the user may see it; times in milliseconds since 1970. */
export interface Listed {
  readonly id: string;
  readonly device: string;
  readonly createdAt: number;
  readonly lastSeenAt: number;
  readonly endsAt: number;
}

/** A user's sessions, wherever they were begun: to show, and to end. */
export interface UserSessions {
  /** The live sessions of a user, the latest seen first. */
  of(user: string): Promise<readonly Listed[]>;
  /**
   * Ends one session of this user and answers whether it was one; another user's is never touched.
   */
  endOne(user: string, id: string): Promise<boolean>;
  /** Ends all sessions of this user but one; answers how many were alive. */
  endOthers(user: string, keep?: string): Promise<number>;
  /**
   * Ends what Back-Channel Logout 1.0 section 2.7 names: the session `sid`, or all of `sub`. Known
   * tells whether this gateway ever had one such.
   */
  endNamed(named: {
    readonly sub?: string | undefined;
    readonly sid?: string | undefined;
  }): Promise<{ readonly known: boolean; readonly ended: number }>;
}

interface Facts {
  readonly device?: string;
  readonly createdAt?: number;
  readonly endsAt?: number;
}

// The refresh token of a session ended from elsewhere can be opened by its own browser only: what
// is left waits for it this long.
const tombstoneMs = 86_400_000;
const atOnce = 250;

/**
 * Makes the list over the same store as the sessions; the facts in it are sealed with the server's
 * secret and the user's name.
 */
export const createUserSessions = (options: {
  store: Store;
  listSeal: Seal;
  issuer: string;
  idleMs: number;
  events: Events;
}): UserSessions => {
  const { store, listSeal, issuer, idleMs, events } = options;

  // A batch is ended, told, and only then taken off the list: whatever stops this half way, the
  // same call again ends the rest.
  const endKeys = async (user: string, keys: readonly string[]): Promise<number> => {
    let ended = 0;
    for (let from = 0; from < keys.length; from += atOnce) {
      const batch = keys.slice(from, from + atOnce);
      const were = await Promise.all(batch.map((key) => store.tombstone(key, tombstoneMs)));
      const gone = batch.filter((_, index) => were[index]);
      ended += gone.length;
      if (gone.length > 0) events.publish(user, { type: 'ended', sessions: gone });
      await store.unindex(user, batch);
    }
    return ended;
  };

  return {
    async of(user) {
      const noted = await store.ofUser(user);
      const rows = await Promise.all(
        [...noted].map(async ([id, sealed]) => {
          const found = await store.read(id);
          const plain = listSeal.unseal(sealed, Buffer.from(user));
          if (found === undefined) return { id, live: undefined };
          const facts = plain === undefined ? {} : (JSON.parse(plain.toString()) as Facts);
          const { createdAt, endsAt } = found.entry;
          const lastSeenAt = Math.max(
            createdAt,
            found.now + found.idleLeftMs - idleMs > found.now
              ? found.now
              : found.now + found.idleLeftMs - idleMs,
          );
          return {
            id,
            live: { id, device: facts.device ?? 'unknown device', createdAt, endsAt, lastSeenAt },
          };
        }),
      );
      await store.unindex(
        user,
        rows.filter(({ live }) => live === undefined).map(({ id }) => id),
      );
      return rows.flatMap(({ live }) => live ?? []).sort((a, b) => b.lastSeenAt - a.lastSeenAt);
    },
    async endOne(user, id) {
      if (!(await store.ofUser(user)).has(id)) return false;
      return (await endKeys(user, [id])) === 1;
    },
    async endOthers(user, keep) {
      const keys = [...(await store.ofUser(user)).keys()].filter((key) => key !== keep);
      return endKeys(user, keys);
    },
    async endNamed({ sub, sid }) {
      if (sid !== undefined) {
        const named = await store.ofSid(sidKey(issuer, sid));
        let ended = 0;
        for (const user of new Set(named.map((each) => each.user))) {
          const keys = named.filter((each) => each.user === user).map(({ key }) => key);
          ended += await endKeys(user, keys);
        }
        return { known: named.length > 0, ended };
      }
      if (sub === undefined) return { known: false, ended: 0 };
      const user = userKey(issuer, sub);
      const keys = [...(await store.ofUser(user)).keys()];
      return { known: keys.length > 0, ended: await endKeys(user, keys) };
    },
  };
};
