import { decodeJwt } from 'jose';
import { OAuthError, type Grant } from './grant.ts';

/** An answer of the token endpoint after its ID token was checked. */
interface Tokens {
  readonly access_token: string;
  readonly token_type: string;
  readonly expires_in?: number | undefined;
  readonly scope?: string | undefined;
  readonly refresh_token?: string | undefined;
  readonly id_token?: string | undefined;
  readonly recovery_code?: unknown;
  claims(): { readonly sub: string; readonly [claim: string]: unknown } | undefined;
}

/** The part of a grant that a refresh has as well: scope and audience are read from the token itself, where it is a JWT. */
export const commonGrant = (tokens: Tokens): Omit<Grant, 'idToken' | 'claims' | 'sub' | 'sid'> => {
  const inside = readJwt(tokens.access_token);
  const scope = tokens.scope ?? (typeof inside['scope'] === 'string' ? inside['scope'] : '');
  const aud = inside['aud'];
  return {
    refreshToken: tokens.refresh_token,
    accessToken: tokens.access_token,
    tokenType: tokens.token_type.toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer',
    expiresIn: tokens.expires_in ?? 0,
    audience: Array.isArray(aud) ? aud.map(String) : typeof aud === 'string' ? [aud] : [],
    scope: scope.split(' ').filter((each) => each !== ''),
  };
};

/** A grant with its ID token; throws OAuthError `invalid_response` when none came. */
export const fullGrant = (tokens: Tokens): Grant => {
  const claims = tokens.claims();
  if (claims === undefined || tokens.id_token === undefined) throw new OAuthError('invalid_response', {});
  const sid = claims['sid'];
  return {
    ...commonGrant(tokens),
    idToken: tokens.id_token,
    claims,
    sub: claims.sub,
    sid: typeof sid === 'string' ? sid : undefined,
    ...(typeof tokens.recovery_code === 'string' && { recoveryCode: tokens.recovery_code }),
  };
};

const readJwt = (token: string): Record<string, unknown> => {
  try {
    return decodeJwt(token);
  } catch {
    return {};
  }
};
