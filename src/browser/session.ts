/** The user's ID-token claims; only `sub` is certain. */
export interface Profile {
  sub: string;
  name?: string;
  nickname?: string;
  given_name?: string;
  family_name?: string;
  email?: string;
  email_verified?: boolean;
  picture?: string;
  [claim: string]: unknown;
}

/** What is left of the user's own allowance in one class of calls; times in seconds. */
export interface Allowance {
  limit: number;
  remaining: number;
  /** Until the next call is possible when none is left, else until all are. */
  resetIn: number;
}

/** Which of Auth0's buckets a call counts in. */
export type BucketName =
  | 'authentication_methods_read'
  | 'authentication_methods_read_filtered'
  | 'authentication_methods_write'
  | 'factors_read'
  | 'connected_accounts_create_flow'
  | 'connected_accounts_read_accounts'
  | 'connected_accounts_read_connections'
  | 'connected_accounts_write'
  | 'organizations_read';

/**
 * The session as `GET /auth/session` tells it; asking never makes it last longer. Times in seconds
 * from now unless said.
 */
export interface Session {
  authenticated: true;
  user: Profile;
  /** Names the user to the gateway: what this client sends with every call, so that none is made for somebody else. */
  userHandle?: string;
  expiresIn?: number;
  idleExpiresIn?: number;
  scopes?: string[];
  /** When the user last proved who they are, in seconds since 1970. */
  authenticatedAt?: number;
  /** How long the last step-up still counts; null without one. */
  stepUpFreshFor?: number | null;
  quota?: Partial<Record<BucketName, Allowance>>;
}

/** One of the user's sessions at this gateway; times are RFC 3339. */
export interface OwnSession {
  id: string;
  /** The one that asks. */
  current: boolean;
  /** Such as `Firefox on Windows`. */
  device: string;
  created_at: string;
  last_seen_at: string;
  ends_at: string;
}
