import type { MethodRecord } from './methods.ts';

/**
 * A stored connected account of a user: the API's object (`/me/v1/connected-accounts/accounts`).
 */
export interface ConnectedAccount {
  id: string;
  connection: string;
  access_type: 'offline';
  scopes: string[];
  created_at: string;
  expires_at?: string;
  org_id?: string;
}

/** A user of the tenant with everything that hangs on them; plain data, changed in place. */
export interface UserRecord {
  /** `auth0|` and 24 hexadecimal digits; the `sub` of tokens. */
  user_id: string;
  connection: string;
  email: string;
  email_verified: boolean;
  name: string;
  nickname: string;
  given_name?: string;
  family_name?: string;
  username?: string;
  phone_number?: string;
  picture?: string;
  created_at: string;
  updated_at: string;
  blocked: boolean;
  /** RBAC permissions by audience. */
  permissions: Record<string, string[]>;
  /** Ids of the organizations the user belongs to. */
  organizations: string[];
  methods: MethodRecord[];
  connectedAccounts: ConnectedAccount[];
  user_metadata: Record<string, unknown>;
}

/** The users of one tenant, found by id, e-mail or user name without walking the list. */
export interface Users {
  add(user: UserRecord): void;
  get(userId: string): UserRecord | undefined;
  /** By e-mail or user name, case-insensitive. */
  named(name: string): UserRecord | undefined;
  remove(userId: string): boolean;
  all(): Iterable<UserRecord>;
  /** To call after a change of e-mail or user name, so that `named` finds the user again. */
  reindex(user: UserRecord): void;
  count(): number;
  clear(): void;
}

/** Makes an empty store of users; adding one whose e-mail is taken throws. */
export function createUsers(): Users {
  const byId = new Map<string, UserRecord>();
  const idByName = new Map<string, string>();
  const names = (user: UserRecord): string[] =>
    [user.email, user.username]
      .filter((name) => name !== undefined)
      .map((name) => name.toLowerCase());
  const forget = (userId: string): void => {
    for (const [name, id] of idByName) if (id === userId) idByName.delete(name);
  };
  return {
    add(user) {
      for (const name of names(user))
        if (idByName.has(name)) throw new Error(`The user already exists: ${name}`);
      byId.set(user.user_id, user);
      for (const name of names(user)) idByName.set(name, user.user_id);
    },
    get: (userId) => byId.get(userId),
    named: (name) => byId.get(idByName.get(name.toLowerCase()) ?? ''),
    remove(userId) {
      forget(userId);
      return byId.delete(userId);
    },
    all: () => byId.values(),
    reindex(user) {
      forget(user.user_id);
      for (const name of names(user)) idByName.set(name, user.user_id);
    },
    count: () => byId.size,
    clear() {
      byId.clear();
      idByName.clear();
    },
  };
}
