import type { IncomingMessage, ServerResponse } from 'node:http';
import { plans, stepLimits } from '../state/plans.ts';
import type { State } from '../state/state.ts';
import { sendOAuthError } from './answer.ts';

const text =
  'Too many requests. Check the X-RateLimit-Limit, X-RateLimit-Remaining and X-RateLimit-Reset headers.';

/**
 * Auth0's published limits of the authentication endpoints, with their headers on every answer;
 * true when the request was one too many.
 */
export function createLimits(
  state: State,
): (request: IncomingMessage, response: ServerResponse, url: URL) => boolean {
  return (request, response, url) => {
    const { limits, plan } = state.settings();
    if (!limits.enforced || request.method !== 'POST') return false;
    const isPar = url.pathname === '/oauth/par';
    if (!isPar && url.pathname !== '/oauth/token') return false;
    const { limit, windowSeconds } = isPar ? stepLimits.parPerAddress : plans[plan].token;
    const key = isPar ? `par ${request.socket.remoteAddress ?? ''}` : 'token';
    const drawn = state.buckets.take(key, {
      limit: isPar ? limit : (limits.token ?? limit),
      windowSeconds,
    });
    response.setHeader('x-ratelimit-limit', drawn.limit);
    response.setHeader('x-ratelimit-remaining', drawn.remaining);
    response.setHeader('x-ratelimit-reset', drawn.resetAt);
    if (drawn.allowed) return false;
    const kind = isPar ? {} : { 'x-auth0-error-kind': 'global-rate-limit' };
    sendOAuthError(response, 429, 'too_many_requests', text, {
      headers: { 'retry-after': String(drawn.retryAfter), ...kind },
    });
    return true;
  };
}
