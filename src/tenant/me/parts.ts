import type { IncomingMessage } from 'node:http';
import type { Settings } from '../state/settings.ts';
import type { State } from '../state/state.ts';
import type { UserRecord } from '../state/users.ts';

/** What an access token proved to be, as far as this API asks. */
export interface AccessToken {
  readonly sub: string;
  readonly scope: readonly string[];
  /** Thumbprint of the key the token is bound to (`cnf.jkt`, RFC 9449 section 6). */
  readonly jkt?: string | undefined;
}

/** What the tenant hands to its My Account API. */
export interface MeParts {
  readonly state: State;
  /** The verified access token for this API and tenant, or undefined when it is none. */
  readonly authenticate: (token: string, request: IncomingMessage) => Promise<AccessToken | undefined>;
}

/** One request on its way through an operation. */
export interface Call {
  readonly state: State;
  readonly settings: Settings;
  readonly user: UserRecord;
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
