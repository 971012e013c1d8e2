import type { IncomingMessage } from 'node:http';
import { createLocalJWKSet, jwtVerify, type JWTPayload } from 'jose';
import { scopeList, type Parts } from './context.ts';
import type { SigningKey } from './keys.ts';

/** What a good access token says. */
interface VerifiedToken {
  sub: string;
  scope: string[];
  aud: string[];
  clientId: string;
  /** Thumbprint of the key a DPoP token is bound to (RFC 9449 section 6.1). */
  jkt?: string;
}

/**
 * Checks an access token for one audience of this tenant on the host that was called; undefined
 * when it is not good there.
 */
export type Authenticate = (
  token: string,
  request: IncomingMessage,
  path?: 'me/' | 'mfa/' | 'userinfo',
) => Promise<VerifiedToken | undefined>;

/**
 * Verifies JWT access tokens with the tenant's own key and clock. The issuer and the audience must
 * be of the domain that was called: a token of the canonical domain is refused on a custom domain
 * and the other way (Auth0: "use the same domain").
 */
export function createAuthenticate(
  { state }: Parts,
  key: SigningKey,
  originOf: (request: IncomingMessage) => string,
): Authenticate {
  const keys = createLocalJWKSet({ keys: [key.publicJwk] });
  return async (token, request, path = 'me/') => {
    const origin = originOf(request);
    try {
      const { payload } = await jwtVerify(token, keys, {
        algorithms: ['RS256'],
        issuer: `${origin}/`,
        audience: `${origin}/${path}`,
        currentDate: new Date(state.clock.now()),
      });
      return verified(payload);
    } catch {
      return undefined;
    }
  };

  function verified(payload: JWTPayload): VerifiedToken | undefined {
    const user = state.users.get(payload.sub ?? '');
    if (user === undefined || user.blocked) return undefined;
    const cnf = payload['cnf'];
    const jkt = typeof cnf === 'object' && cnf !== null && 'jkt' in cnf ? cnf.jkt : undefined;
    return {
      sub: user.user_id,
      scope: scopeList(payload['scope']),
      aud: [payload.aud ?? []].flat(),
      clientId: String(payload['azp'] ?? payload['client_id']),
      ...(typeof jkt === 'string' ? { jkt } : {}),
    };
  }
}
