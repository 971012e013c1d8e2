import { createHash, randomBytes } from 'node:crypto';
import type { Clock } from '../../state/clock.ts';

/**
 * What `POST /connected-accounts/connect` says must live for 300 seconds (`expires_in` of Auth0's
 * sample).
 */
export const CONNECT_SECONDS = 300;

/** An account connection under way, between connect, the provider's page, and complete. */
export interface Connecting {
  readonly authSession: string;
  readonly ticket: string;
  readonly userId: string;
  readonly connection: string;
  readonly redirectUri: string;
  readonly scopes: readonly string[];
  readonly state: string | undefined;
  readonly codeChallenge: string | undefined;
  readonly expiresAt: number;
  /** Given out by the provider's page once the user agreed. */
  connectCode?: string;
  /** The account at the provider that the user chose there. */
  login?: string;
}

/** The connections under way at one tenant. */
export interface ConnectingStore {
  begin(
    wanted: Pick<
      Connecting,
      'userId' | 'connection' | 'redirectUri' | 'scopes' | 'state' | 'codeChallenge'
    >,
  ): Connecting;
  byTicket(ticket: string): Connecting | undefined;
  bySession(authSession: string): Connecting | undefined;
  /** Marks that the user agreed at the provider as `login`; answers the connect_code. */
  agree(connecting: Connecting, login: string): string;
  end(connecting: Connecting): void;
}

// connect_code has at most 46 characters, auth_session at most 64 (Auth0's OpenAPI file).
const token = (bytes: number): string => randomBytes(bytes).toString('base64url');

/** Makes an empty store on the tenant's clock. */
export function createConnectingStore(clock: Clock): ConnectingStore {
  const bySession = new Map<string, Connecting>();
  const live = (found: Connecting | undefined): Connecting | undefined =>
    found && found.expiresAt > clock.now() ? found : undefined;
  return {
    begin(wanted) {
      for (const old of bySession.values()) if (!live(old)) bySession.delete(old.authSession);
      const made: Connecting = {
        ...wanted,
        authSession: token(32),
        ticket: token(32),
        expiresAt: clock.now() + CONNECT_SECONDS * 1000,
      };
      bySession.set(made.authSession, made);
      return made;
    },
    byTicket: (ticket) => live([...bySession.values()].find((one) => one.ticket === ticket)),
    bySession: (authSession) => live(bySession.get(authSession)),
    agree(connecting, login) {
      connecting.connectCode = token(24);
      connecting.login = login;
      return connecting.connectCode;
    },
    end: (connecting) => void bySession.delete(connecting.authSession),
  };
}

/**
 * Whether a verifier answers the challenge that was sent first (RFC 7636 section 4.6, S256);
 * without a challenge none is needed.
 */
export function verifierFits({ codeChallenge }: Connecting, verifier: string | undefined): boolean {
  if (codeChallenge === undefined) return verifier === undefined;
  return (
    verifier !== undefined &&
    createHash('sha256').update(verifier).digest('base64url') === codeChallenge
  );
}
