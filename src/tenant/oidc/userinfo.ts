import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendJson, sendOAuthError } from '../http/answer.ts';
import { stepLimits } from '../state/plans.ts';
import type { State } from '../state/state.ts';
import type { UserRecord } from '../state/users.ts';
import type { Authenticate } from './access-token.ts';

/**
 * Is this an access token for an API, which oidc-provider does not take at /userinfo but Auth0
 * does?
 */
export const isApiToken = (request: IncomingMessage): boolean =>
  (request.headers.authorization ?? '').split('.').length === 3;

/**
 * Answers `/userinfo` for an API's access token that was given with `openid`: the claims its scopes
 * open.
 */
export async function answerUserinfo(
  state: State,
  authenticate: Authenticate,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const token = (request.headers.authorization ?? '').split(' ')[1] ?? '';
  const verified = await authenticate(token, request, 'userinfo');
  const user = verified && state.users.get(verified.sub);
  if (verified === undefined || user === undefined) {
    sendOAuthError(response, 401, 'invalid_token', 'Unauthorized', {
      headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
    });
    return;
  }
  const drawn = state.buckets.take(`userinfo ${user.user_id}`, stepLimits.userinfo);
  if (state.settings().limits.enforced && !drawn.allowed) {
    sendOAuthError(response, 429, 'too_many_requests', 'Too many requests.', {
      headers: { 'retry-after': String(drawn.retryAfter) },
    });
    return;
  }
  sendJson(response, 200, claimsFor(user, verified.scope));
}

function claimsFor(user: UserRecord, scopes: readonly string[]): Record<string, unknown> {
  const {
    user_id: sub,
    name,
    nickname,
    given_name,
    family_name,
    picture,
    updated_at,
    email,
    email_verified,
    phone_number,
  } = user;
  return {
    sub,
    ...(scopes.includes('profile')
      ? { name, nickname, given_name, family_name, picture, updated_at }
      : {}),
    ...(scopes.includes('email') ? { email, email_verified } : {}),
    ...(scopes.includes('phone') && phone_number !== undefined
      ? { phone_number, phone_number_verified: true }
      : {}),
  };
}
