import { randomBytes } from 'node:crypto';
import type { State } from '../state/state.ts';

/** What a login still has to get once the second factor is proved. */
export interface PendingLogin {
  userId: string;
  clientId: string;
  audience?: string;
  scope: string[];
  /** The refresh that was refused, so the same family goes on; absent for a first login. */
  grantId?: string;
  organization?: string;
}

/** One mfa_token and what is under way with it. */
export interface MfaTransaction {
  token: string;
  login: PendingLogin;
  expiresAt: number;
  /**
   * Open out-of-band challenges by oob_code: the authenticator asked and, where one went out, the
   * code.
   */
  challenges: Map<string, { authenticatorId: string; code?: string }>;
  /** A factor being enrolled on the way, not yet proved. */
  enrolling?: { methodId: string };
}

/** The mfa_tokens of one tenant; they are good for `switches.mfaTokenSeconds`. */
export interface MfaTokens {
  issue(login: PendingLogin): MfaTransaction;
  /** The transaction; `expired` for one that was good once; undefined for anything else. */
  find(token: string): MfaTransaction | 'expired' | undefined;
  end(token: string): void;
  clear(): void;
}

/** Makes an empty list. */
export function createMfaTokens(state: State): MfaTokens {
  const byToken = new Map<string, MfaTransaction>();
  return {
    issue(login) {
      const token = `Fe26.2**${randomBytes(48).toString('hex')}`;
      const expiresAt = state.clock.now() + state.settings().switches.mfaTokenSeconds * 1000;
      const transaction = {
        token,
        login,
        expiresAt,
        challenges: new Map<string, { authenticatorId: string; code?: string }>(),
      };
      byToken.set(token, transaction);
      if (byToken.size > 10_000) byToken.delete(byToken.keys().next().value ?? '');
      return transaction;
    },
    find(token) {
      const found = byToken.get(token);
      return found !== undefined && found.expiresAt <= state.clock.now() ? 'expired' : found;
    },
    end: (token) => void byToken.delete(token),
    clear: () => {
      byToken.clear();
    },
  };
}
