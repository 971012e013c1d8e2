import type { ServerResponse } from 'node:http';
import type { UpstreamResponse } from '../http/upstream-response.ts';

/**
 * Returns the API's `Location` as a path of this gateway: absolute on its own host or relative,
 * under `/me/v1/`; undefined for anything else, which is then not passed on. Bytes after the prefix
 * are kept: Auth0 says the id is to be used as it is.
 */
export function ownLocation(
  location: string | string[] | undefined,
  upstream: string,
  publicPath: string,
): string | undefined {
  if (typeof location !== 'string') return undefined;
  const path = location.startsWith(`${upstream}/`) ? location.slice(upstream.length) : location;
  if (!/^\/me\/v1\/[\x21-\x7e]+$/.test(path)) return undefined;
  return `${publicPath}/v1${path.slice('/me/v1'.length)}`;
}

/**
 * Returns the head of an answer as one flat list of names and values: what every answer of a
 * session carries, and the allow-listed headers of the API's, its content type and its location,
 * rewritten. One list and one write: Node takes it as it is, where headers set one by one are
 * checked and sorted in twice.
 */
export function headOf(
  response: Pick<UpstreamResponse, 'headers'>,
  own: {
    upstream: string;
    publicPath: string;
    standard: readonly string[];
    extra: Readonly<Record<string, string>>;
  },
): string[] {
  const { 'content-type': type, location: sent } = response.headers;
  const vary = 'Cookie, Origin, Sec-Fetch-Site';
  const head = own.standard.concat('Cache-Control', 'no-store', 'Vary', vary);
  for (const name in own.extra) head.push(name, own.extra[name] ?? '');
  if (typeof type === 'string') head.push('Content-Type', type);
  const location = ownLocation(sent, own.upstream, own.publicPath);
  if (location !== undefined) head.push('Location', location);
  return head;
}

/**
 * Sends head and body: in one write when the body is whole, else streamed; one that breaks off
 * breaks the browser's connection, never hangs it.
 */
export function send(res: ServerResponse, response: UpstreamResponse, head: string[]): void {
  const { status, body, bodyStream, headers } = response;
  if (bodyStream === undefined) {
    // A 204 and a 304 have no body, and a Content-Length of theirs would speak of another one.
    if (status !== 204 && status !== 304) head.push('Content-Length', String(body.length));
    // As text, byte for byte, head and body are one write; as bytes they would be two.
    res.writeHead(status, head).end(body.toString('latin1'), 'latin1');
    return;
  }
  const length = headers['content-length'];
  if (typeof length === 'string') head.push('Content-Length', length);
  res.writeHead(status, head).write(body);
  bodyStream.once('close', () => {
    if (!bodyStream.readableEnded) res.destroy();
  });
  bodyStream.once('error', () => {
    res.destroy();
  });
  bodyStream.pipe(res);
}
