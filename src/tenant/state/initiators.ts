/** What ends a session, by Auth0's names; an application chooses which of them it wants to hear of by back-channel logout. */
export const initiators = [
  'rp-logout',
  'idp-logout',
  'password-changed',
  'session-expired',
  'session-revoked',
  'account-deleted',
  'email-identifier-changed',
] as const;

/** One of `initiators`. */
export type Initiator = (typeof initiators)[number];
