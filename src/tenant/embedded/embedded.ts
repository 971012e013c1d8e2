import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendJson, sendOAuthError } from '../http/answer.ts';
import { readMembers } from '../http/body.ts';
import { note } from '../http/observe.ts';
import { TokenError } from '../oidc/resources.ts';
import type { Authenticate } from '../oidc/access-token.ts';
import type { Pushes } from '../second-factor/push.ts';
import type { State } from '../state/state.ts';
import { authenticateClient } from './client-auth.ts';
import { challenge, listAuthenticators, type MfaCaller } from './mfa-api.ts';
import { associate } from './mfa-associate.ts';
import type { MfaTokens } from './mfa-tokens.ts';
import type { Passkeys } from './passkeys.ts';

const webauthnGrant = 'urn:okta:params:oauth:grant-type:webauthn';

/** What of the authorization server the embedded endpoints use. */
export interface EmbeddedServer {
  mfaTokens: MfaTokens;
  passkeys: Passkeys;
  authenticate: Authenticate;
  originOf(request: IncomingMessage): string;
}

/**
 * Mounts `/passkey/*` and `/mfa/*`; answers true when the request was for one of them. Failures are
 * OAuth errors.
 */
export function createEmbedded(state: State, server: EmbeddedServer, pushes: Pushes) {
  const { mfaTokens, passkeys } = server;

  async function passkey(request: IncomingMessage, path: string): Promise<Record<string, unknown>> {
    const members = await readMembers(request);
    note(request, members);
    const origin = server.originOf(request);
    const settings = state.settings();
    const client = await authenticateClient(settings, members, `${origin}/`);
    if (client === undefined)
      throw new TokenError(401, 'invalid_client', 'Client authentication failed');
    if (client.grant_types?.includes(webauthnGrant) !== true || !client.first_party) {
      throw new TokenError(
        403,
        'unauthorized_client',
        `Grant type '${webauthnGrant}' not allowed for the client.`,
      );
    }
    const canonical = origin === state.origin && !settings.passkeys_on_canonical_domain;
    if (canonical || !settings.my_account.factors.includes('passkey')) {
      throw new TokenError(
        404,
        'passkeys_not_enabled',
        'Passkeys are not enabled: a custom domain is required.',
      );
    }
    if (path === '/passkey/challenge') return passkeys.challenge(origin, client.client_id);
    return passkeys.register(origin, client.client_id, members);
  }

  /**
   * The bearer of the MFA API: an mfa_token, or an access token for the audience `/mfa/` with the
   * scope the call needs.
   */
  async function caller(request: IncomingMessage, scope: string): Promise<MfaCaller> {
    const token = (request.headers.authorization ?? '').split(' ')[1] ?? '';
    const transaction = mfaTokens.find(token);
    if (transaction === 'expired')
      throw new TokenError(401, 'expired_token', 'mfa_token is expired');
    const verified =
      transaction === undefined ? await server.authenticate(token, request, 'mfa/') : undefined;
    const user = state.users.get(transaction?.login.userId ?? verified?.sub ?? '');
    if (user === undefined) throw new TokenError(401, 'invalid_grant', 'Malformed mfa_token');
    if (verified !== undefined && !verified.scope.includes(scope)) {
      throw new TokenError(403, 'insufficient_scope', `Insufficient scope, expected: ${scope}`);
    }
    return {
      user,
      scope: verified?.scope ?? [],
      ...(transaction === undefined ? {} : { transaction }),
    };
  }

  async function startChallenge(request: IncomingMessage): Promise<Record<string, unknown>> {
    const members = await readMembers(request);
    note(request, members);
    const client = await authenticateClient(
      state.settings(),
      members,
      `${server.originOf(request)}/`,
    );
    if (client === undefined)
      throw new TokenError(401, 'invalid_client', 'Client authentication failed');
    const transaction = mfaTokens.find(
      typeof members['mfa_token'] === 'string' ? members['mfa_token'] : '',
    );
    if (transaction === 'expired')
      throw new TokenError(401, 'expired_token', 'mfa_token is expired');
    const user = state.users.get(transaction?.login.userId ?? '');
    if (
      transaction === undefined ||
      user === undefined ||
      transaction.login.clientId !== client.client_id
    ) {
      throw new TokenError(403, 'invalid_grant', 'Malformed mfa_token');
    }
    return challenge(state, pushes, { user, transaction, scope: [] }, members);
  }

  async function answer(
    request: IncomingMessage,
    path: string,
  ): Promise<{ status: number; body?: unknown } | undefined> {
    switch (`${request.method ?? ''} ${path}`) {
      case 'POST /passkey/register':
      case 'POST /passkey/challenge':
        return { status: 200, body: await passkey(request, path) };
      case 'GET /mfa/authenticators':
        return {
          status: 200,
          body: listAuthenticators(await caller(request, 'read:authenticators')),
        };
      case 'POST /mfa/associate':
        return {
          status: 200,
          body: associate(
            state,
            pushes,
            await caller(request, 'enroll'),
            await readMembers(request),
          ),
        };
      case 'POST /mfa/challenge':
        return { status: 200, body: await startChallenge(request) };
      default:
        return request.method === 'DELETE' && path.startsWith('/mfa/authenticators/')
          ? remove(request, path)
          : undefined;
    }
  }

  async function remove(request: IncomingMessage, path: string): Promise<{ status: number }> {
    const { user, scope } = await caller(request, 'remove:authenticators');
    if (!scope.includes('remove:authenticators'))
      throw new TokenError(
        403,
        'insufficient_scope',
        'Insufficient scope, expected: remove:authenticators',
      );
    const id = decodeURIComponent(path.slice('/mfa/authenticators/'.length));
    if (!user.methods.some(({ view }) => view.id === id))
      throw new TokenError(404, 'not_found', 'Authenticator not found');
    user.methods = user.methods.filter(({ view }) => view.id !== id);
    return { status: 204 };
  }

  return async (request: IncomingMessage, response: ServerResponse, url: URL): Promise<boolean> => {
    if (!url.pathname.startsWith('/passkey/') && !url.pathname.startsWith('/mfa/')) return false;
    try {
      const result = await answer(request, url.pathname);
      if (result === undefined) return false;
      if (result.body === undefined) response.writeHead(result.status).end();
      else sendJson(response, result.status, result.body);
    } catch (error) {
      if (!(error instanceof TokenError)) throw error;
      sendOAuthError(response, error.answer, error.error, error.error_description ?? error.error, {
        members: error.members,
      });
    }
    return true;
  };
}
