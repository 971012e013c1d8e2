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
  resetSeconds: number;
  windowSeconds: number;
}

export type CostClass = 'read' | 'write' | 'filtered';

/** The session as `GET /auth/session` tells it; asking never makes it last longer. Times in seconds from now unless said. */
export interface Session {
  authenticated: true;
  user: Profile;
  expiresIn?: number;
  idleExpiresIn?: number;
  scopes?: string[];
  /** When the user last proved who they are, in seconds since 1970. */
  authenticatedAt?: number;
  /** How long the last step-up still counts. */
  stepUpFreshFor?: number;
  quota?: Partial<Record<CostClass, Allowance>>;
}

/** One of the user's sessions at this gateway. */
export interface OwnSession {
  id: string;
  current: boolean;
  device?: string;
  createdAt?: string | number;
  lastSeenAt?: string | number;
}
