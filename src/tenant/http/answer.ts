import type { ServerResponse } from 'node:http';

/** Answers JSON, never cached. */
export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    ...headers,
  });
  response.end(text);
}

/**
 * Answers a page, never cached; forms may be sent to this tenant only, since a page has no other
 * use.
 */
export function sendPage(response: ServerResponse, status: number, html: string): void {
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'content-length': Buffer.byteLength(html),
    'cache-control': 'no-store',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
  });
  response.end(html);
}

/** Sends the browser on with 302, as Auth0 does. */
export function redirect(response: ServerResponse, location: string): void {
  response.writeHead(302, { location, 'content-length': '0', 'cache-control': 'no-store' });
  response.end();
}

/**
 * An OAuth failure: `error` and `error_description` (RFC 6749 section 5.2), with further members
 * where Auth0 has them.
 */
export function sendOAuthError(
  response: ServerResponse,
  status: number,
  error: string,
  description: string,
  more: { members?: Record<string, unknown>; headers?: Record<string, string> } = {},
): void {
  sendJson(
    response,
    status,
    { error, error_description: description, ...more.members },
    more.headers,
  );
}
