import type { IncomingMessage } from 'node:http';
import type { Settings } from '../state/settings.ts';
import type { State } from '../state/state.ts';
import type { ConnectedAccount, UserRecord } from '../state/users.ts';
import type { ConnectingStore } from './accounts/connecting.ts';

/** What an access token proved to be, as far as this API asks. */
export interface AccessToken {
  readonly sub: string;
  readonly scope: readonly string[];
  /** Thumbprint of the key the token is bound to (`cnf.jkt`, RFC 9449 section 6). */
  readonly jkt?: string | undefined;
  /** The application it was issued to. */
  readonly clientId?: string | undefined;
}

/** What the tenant hands to its My Account API. */
export interface MeParts {
  readonly state: State;
  /** The origin a request was sent to, canonical or custom domain, without a slash at the end. */
  readonly originOf: (request: IncomingMessage) => string;
  /** The verified access token for this API and tenant, or undefined when it is none. */
  readonly authenticate: (
    token: string,
    request: IncomingMessage,
  ) => Promise<AccessToken | undefined>;
}

/** One request on its way through an operation. */
export interface Call {
  readonly state: State;
  readonly settings: Settings;
  /**
   * The origin that was called: what URLs in answers and the relying party of passkeys are made of.
   */
  readonly origin: string;
  readonly user: UserRecord;
  readonly token: AccessToken;
  readonly connecting: ConnectingStore;
  /** As whom a connected account was signed in at its provider; Auth0 does not show it. */
  readonly logins: WeakMap<ConnectedAccount, string>;
  readonly path: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string | string[]>>;
  readonly body: unknown;
  readonly request: IncomingMessage;
}

/** What an operation answers; a body of undefined is an answer without one. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}
