import type { IncomingMessage, ServerResponse } from 'node:http';
import type Provider from 'oidc-provider';
import { createMfaDemand } from './embedded/mfa-required.ts';
import { createMfaTokens, type MfaTokens } from './embedded/mfa-tokens.ts';
import { embeddedGrantTypes } from './embedded/grants.ts';
import { createPasskeys, type Passkeys } from './embedded/passkeys.ts';
import type { Pushes } from './second-factor/push.ts';
import type { State } from './state/state.ts';
import { createAuthenticate, type Authenticate } from './oidc/access-token.ts';
import { createStore } from './oidc/adapter.ts';
import { createBackChannel } from './oidc/back-channel.ts';
import type { Parts } from './oidc/context.ts';
import { answerAuthorizationAsAuth0, answerByWebMessage } from './oidc/authorization-answer.ts';
import type { SigningKey } from './oidc/keys.ts';
import { createLogins } from './oidc/logins.ts';
import { createLogout, type Logout } from './oidc/logout.ts';
import { createProvider, providerSecrets } from './oidc/provider.ts';
import { createSessions, type Sessions } from './oidc/sessions.ts';
import { answerAsAuth0 } from './oidc/token-endpoint.ts';

/** The authorization server of one tenant, on all its domains. */
export interface AuthorizationServer {
  parts: Parts;
  /** What `/.well-known/jwks.json` says. */
  jwks: { keys: SigningKey['publicJwk'][] };
  mfaTokens: MfaTokens;
  passkeys: Passkeys;
  sessions: Sessions;
  logout: Logout;
  authenticate: Authenticate;
  /** The origin a request was sent to; the canonical one for a host the tenant does not know. */
  originOf(request: IncomingMessage): string;
  /** oidc-provider for an origin; each domain is an issuer of its own over the same store. */
  providerFor(origin: string): Provider;
  /** Lets oidc-provider answer. */
  handle(origin: string, request: IncomingMessage, response: ServerResponse): Promise<void>;
  clear(): void;
}

/** Makes the authorization server; the signing key is one for all domains, as at Auth0. */
export function createAuthorizationServer(
  state: State,
  key: SigningKey,
  pushes: Pushes,
): AuthorizationServer {
  const { protocol } = new URL(state.origin);
  const origins = (): string[] => [
    state.origin,
    ...state.settings().custom_domains.map((domain) => `${protocol}//${domain}`),
  ];
  const parts: Parts = { state, store: createStore(state), logins: createLogins(), origins };
  const mfaTokens = createMfaTokens(state);
  const secrets = providerSecrets(key);
  const demandMfa = createMfaDemand(state, mfaTokens);
  const passkeys = createPasskeys(state);
  const grantTypes = embeddedGrantTypes({ parts, mfaTokens, pushes, passkeys, demandMfa });
  const providers = new Map<string, Provider>();
  const sessions = createSessions(parts, createBackChannel(parts, key));

  state.accountEvents.hear((userId, event) => {
    sessions.endSoon({ userId }, event);
  });

  const originOf = (request: IncomingMessage): string =>
    origins().find((origin) => new URL(origin).host === request.headers.host) ?? state.origin;
  const providerFor = (origin: string): Provider => {
    let provider = providers.get(origin);
    if (provider === undefined) {
      provider = createProvider(parts, origin, secrets, demandMfa, grantTypes);
      provider.proxy = true;
      answerAsAuth0(provider, state);
      answerAuthorizationAsAuth0(provider);
      answerByWebMessage(provider, state);
      providers.set(origin, provider);
    }
    return provider;
  };

  return {
    parts,
    jwks: { keys: [key.publicJwk] },
    mfaTokens,
    passkeys,
    sessions,
    logout: createLogout(parts, key, sessions),
    authenticate: createAuthenticate(parts, key, originOf),
    originOf,
    providerFor,
    async handle(origin, request, response) {
      // oidc-provider builds its URLs from these; the tenant alone decides what it is called.
      const { host } = new URL(origin);
      Object.assign(request.headers, {
        host,
        'x-forwarded-host': host,
        'x-forwarded-proto': protocol.slice(0, -1),
      });
      await providerFor(origin).callback()(request, response);
    },
    clear() {
      parts.store.clear();
      parts.logins.clear();
      mfaTokens.clear();
      passkeys.clear();
    },
  };
}
