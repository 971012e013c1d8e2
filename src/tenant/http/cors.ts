import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Settings } from '../state/settings.ts';

/** What a page of an application calls directly: the My Account API and the embedded login. */
const open = /^\/(me\/v1|passkey|mfa)\//;
const methods = 'GET, POST, PATCH, DELETE';
const headers = 'authorization, content-type, dpop, auth0-client, x-correlation-id, traceparent';
const exposed = [
  ...['Location', 'WWW-Authenticate', 'DPoP-Nonce', 'Retry-After', 'retry-after'],
  ...['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset', 'x-auth0-error-kind'],
].join(', ');

/** Whether an application, or with no id any of the tenant's, names this origin for its pages. */
export const isAllowedOrigin = (
  { clients }: Settings,
  origin: string,
  clientId?: string,
): boolean =>
  clients.some(
    (client) =>
      (clientId === undefined || client.client_id === clientId) &&
      [...client.web_origins, ...client.allowed_origins].includes(origin),
  );

/**
 * Puts CORS headers (Fetch, section 3.2) on what answers a page of an application, and answers its
 * preflight; true when it did. A page of another origin is told nothing.
 */
export function answerPreflight(
  settings: Settings,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  if (!open.test(path)) return false;
  response.setHeader('vary', 'Origin');
  const { origin } = request.headers;
  if (origin !== undefined && isAllowedOrigin(settings, origin)) {
    response.setHeader('access-control-allow-origin', origin);
    response.setHeader('access-control-expose-headers', exposed);
    if (request.method === 'OPTIONS') {
      response.setHeader('access-control-allow-methods', methods);
      response.setHeader('access-control-allow-headers', headers);
    }
  }
  const asks = request.headers['access-control-request-method'] !== undefined;
  if (request.method !== 'OPTIONS' || !asks) return false;
  response.writeHead(204).end();
  return true;
}
