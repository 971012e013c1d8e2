import type { IncomingHttpHeaders } from 'node:http';
import { spanHeaders } from '../http/trace.ts';
import { allScopes } from './operations.ts';

/** The only headers of the browser that reach the API. Everything else, known or not, in whatever spelling, stays here. */
const passed = ['accept', 'accept-language', 'user-agent', 'traceparent', 'tracestate'] as const;
const traceparent = /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/;
const longest = 1_024;

/**
 * The headers of the request to the API, apart from its token: allow-listed ones of the browser, our request id (Auth0's log shows it as `references.correlation_id`), `Via` (RFC 9110 section
 * 7.6.3), and for a body its exact length; the response is asked for as it is (no coding would be asked for by silence, RFC 9110 section 12.5.3). The User-Agent passes because Auth0 shows it beside passkeys.
 */
export function upstreamHeaders(
  from: IncomingHttpHeaders,
  own: { host: string; requestId: string | undefined; body: Buffer | undefined },
) {
  const headers: Record<string, string> = { host: own.host, 'accept-encoding': 'identity' };
  for (const name of passed) {
    const value = from[name];
    if (typeof value === 'string' && value.length <= longest) headers[name] = value;
  }
  // One that was sent twice arrives here as one line, and begins no trace (W3C Trace Context 3.2.2).
  if (!traceparent.test(headers['traceparent'] ?? '')) {
    delete headers['traceparent'];
    delete headers['tracestate'];
  }
  Object.assign(headers, spanHeaders());
  headers['via'] = '1.1 my-account-bff';
  if (own.requestId !== undefined) headers['x-correlation-id'] = own.requestId;
  if (own.body !== undefined) {
    headers['content-type'] = 'application/json';
    headers['content-length'] = String(own.body.length);
  }
  return headers;
}

/** Whether the browser wants the API's own answer, not a cached one (RFC 9111 section 5.2.1.4). */
export const wantsRevalidation = (from: IncomingHttpHeaders): boolean => {
  const control = from['cache-control'];
  return control !== undefined && /\bno-cache\b/.test(control);
};

/** The scopes a caller says it will need (`auth0-scope`, older `scope`), as far as they are on the operations table; the headers go no further. */
export function wishedScopes(from: IncomingHttpHeaders): string[] {
  const text = from['auth0-scope'] ?? from['scope'];
  if (typeof text !== 'string' || text.length > longest) return [];
  return text.split(' ').filter((scope) => allScopes.includes(scope));
}
