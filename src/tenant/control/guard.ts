import type { IncomingMessage } from 'node:http';

const loopback = /^(localhost|[\w.-]+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** The name of a Host header without its port, in lower case. */
const nameOf = (host: string): string => host.toLowerCase().replace(/:\d+$/, '');

/**
 * Whether a request was sent under a name of this tenant or of this machine. Under another name it
 * may be a page of that name that asks, after its owner let the name lead here (DNS rebinding).
 */
export function isOwnHost({ headers }: IncomingMessage, origins: readonly string[]): boolean {
  const name = nameOf(headers.host ?? '');
  return loopback.test(name) || origins.some((origin) => nameOf(new URL(origin).host) === name);
}

/**
 * Whether another site's page may have sent a request: what its browser says of it (Fetch
 * Metadata), else its Origin (RFC 6454 section 7). A script outside of a browser sends neither.
 */
export function isForeignPage({ headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
  const { origin } = headers;
  if (origin === undefined) return false;
  return !URL.canParse(origin) || new URL(origin).host !== (headers.host ?? '').toLowerCase();
}

/**
 * Whether a body is announced as JSON, which no form and no simple request of another site can do
 * (Fetch, "CORS-safelisted request-header").
 */
export const isJson = ({ headers }: IncomingMessage): boolean =>
  /^application\/json\s*(;|$)/i.test(headers['content-type'] ?? '');

/** Whether a request has a body. */
export const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
