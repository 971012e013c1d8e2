/**
 * One sign-in of one application: what its refresh tokens remember. oidc-provider's grant carries
 * the same id.
 */
export interface Login {
  userId: string;
  clientId: string;
  /** The issuer the user signed in at: one per domain. */
  issuer: string;
  /** The browser session at the tenant it came from; absent for embedded logins. */
  sid?: string;
  /** The audience asked for at sign-in; a refresh without audience goes back to it. */
  audience?: string;
  /** Scopes granted at sign-in, identity scopes included. */
  scopes: string[];
  /** When the user last proved a second factor on this way, milliseconds of tenant time. */
  mfaAt?: number;
  /** When the user signed in, milliseconds of tenant time. */
  at: number;
  organization?: string;
}

/** What the tenant remembers about sign-ins beside oidc-provider's own store. */
export interface Logins {
  byGrant: Map<string, Login>;
  /**
   * The last second factor proved in a browser session, by session uid; milliseconds of tenant
   * time.
   */
  mfaBySession: Map<string, number>;
  /** What users have agreed to: by user and application, `audience scope`. */
  consents: Map<string, Set<string>>;
  clear(): void;
}

/**
 * Remembers the sign-in of a grant; the oldest of a hundred thousand is forgotten, and its refresh
 * tokens then keep to their own scopes.
 */
export function rememberLogin({ byGrant }: Logins, grantId: string, login: Login): void {
  byGrant.set(grantId, login);
  if (byGrant.size > 100_000) byGrant.delete(byGrant.keys().next().value ?? '');
}

/** Makes an empty memory. */
export function createLogins(): Logins {
  const logins = {
    byGrant: new Map<string, Login>(),
    mfaBySession: new Map<string, number>(),
    consents: new Map<string, Set<string>>(),
  };
  return {
    ...logins,
    clear() {
      for (const map of Object.values(logins)) map.clear();
    },
  };
}

/** The key of `consents`. */
export const consentKey = (userId: string, clientId: string): string => `${userId} ${clientId}`;
