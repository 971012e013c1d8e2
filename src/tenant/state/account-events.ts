/**
 * What ends a session, by Auth0's names; an application chooses which of them it wants to hear of
 * by back-channel logout.
 */
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

/** What may happen to an account that ends its sessions. */
type AccountEvent = Extract<
  Initiator,
  'password-changed' | 'account-deleted' | 'email-identifier-changed'
>;

/** Who tells and who hears of it. */
export interface AccountEvents {
  tell(userId: string, event: AccountEvent): void;
  hear(listener: (userId: string, event: AccountEvent) => void): void;
}

/** Makes the line between the parts that change accounts and the one that ends sessions. */
export function createAccountEvents(): AccountEvents {
  const listeners: ((userId: string, event: AccountEvent) => void)[] = [];
  return {
    tell(userId, event) {
      for (const listener of listeners) listener(userId, event);
    },
    hear(listener) {
      listeners.push(listener);
    },
  };
}
