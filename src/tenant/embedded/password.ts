import type { TokenEndpointGrantContext } from 'oidc-provider';
import { findClient } from '../oidc/clients.ts';
import { scopeList, type Parts } from '../oidc/context.ts';
import type { DemandMfa } from '../oidc/refresh.ts';
import { TokenError } from '../oidc/resources.ts';
import { passwordMatches } from '../state/passwords.ts';
import type { Limit } from '../state/buckets.ts';
import { issueTokens } from './issue.ts';
import { demandSecondFactor } from './mfa-required.ts';

interface PasswordParameters {
  username?: string;
  password?: string;
  realm?: string;
  audience?: string;
}

/**
 * Brute-force protection: ten wrong passwords for one account from one address. It opens slowly,
 * where Auth0 waits for an unblock link.
 */
const wrongPasswords: Limit = { limit: 10, windowSeconds: 86_400 };

const defaultConnection = 'Username-Password-Authentication';

/**
 * The `password` and `password-realm` grants: e-mail and password straight from the application
 * (RFC 6749 section 4.3).
 */
export function passwordGrant(parts: Parts, demandMfa: DemandMfa) {
  const { state } = parts;
  return async (ctx: TokenEndpointGrantContext<PasswordParameters>): Promise<void> => {
    const { params, client } = ctx.oidc;
    const settings = state.settings();
    const { username, password, realm = defaultConnection } = params;
    if (username === undefined)
      throw new TokenError(400, 'invalid_request', 'Missing required parameter: username');
    if (password === undefined)
      throw new TokenError(400, 'invalid_request', 'Missing required parameter: password');
    const user = state.users.named(username);
    const connections = new Set([
      defaultConnection,
      ...[...state.users.all()].slice(0, 1000).map(({ connection }) => connection),
    ]);
    if (!connections.has(realm))
      throw new TokenError(403, 'invalid_request', 'unknown or invalid realm');

    const enabled = findClient(settings, client.clientId)?.connections;
    if (enabled !== undefined && !enabled.includes(realm))
      throw new TokenError(403, 'unauthorized_client', 'the connection was disabled');

    const key = `password ${username.toLowerCase()} ${addressOf(ctx)}`;
    if (settings.limits.enforced && !state.buckets.look(key, wrongPasswords).allowed) {
      const text = 'Your account has been blocked after multiple consecutive login attempts.';
      throw new TokenError(429, 'too_many_attempts', text);
    }
    const hash = user?.methods.find(({ view }) => view.type === 'password')?.secrets.passwordHash;
    if (user === undefined || user.connection !== realm || !passwordMatches(password, hash)) {
      state.buckets.take(key, wrongPasswords);
      throw new TokenError(403, settings.switches.wrongPasswordError, 'Wrong email or password.');
    }
    if (user.blocked) throw new TokenError(403, 'unauthorized', 'user is blocked');
    const denied = settings.denied_users[user.email];
    if (denied !== undefined) throw new TokenError(403, 'unauthorized', denied);

    const audience = params.audience ?? settings.default_audience;
    const login = {
      userId: user.user_id,
      clientId: client.clientId,
      scope: scopeList(params.scope),
      ...(audience === undefined ? {} : { audience }),
    };
    demandSecondFactor(parts, login, demandMfa);
    await issueTokens(parts, ctx, {
      ...login,
      way: params.grant_type === 'password' ? 'password' : 'password-realm',
    });
  };
}

/** The end user's address, from a confidential client that passes it on; else the caller's. */
function addressOf(ctx: TokenEndpointGrantContext): string {
  const forwarded = ctx.get('auth0-forwarded-for').split(',')[0]?.trim() ?? '';
  return forwarded !== '' && ctx.oidc.client.tokenEndpointAuthMethod !== 'none'
    ? forwarded
    : (ctx.req.socket.remoteAddress ?? '');
}
