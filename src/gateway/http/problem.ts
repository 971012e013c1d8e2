import type { ServerResponse } from 'node:http';
import type { Failure } from './errors.ts';

// Most failures say no more than their code: what is the same for all of a code is written once.
const beginnings = new Map<string, string>();
const beginningOf = ({ code, type, title, status }: Failure): string => {
  const known = beginnings.get(code);
  if (known !== undefined) return known;
  const text = JSON.stringify({ type, title, status, code }).slice(0, -1);
  beginnings.set(code, text);
  return text;
};

const uuid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;
// A URI reference (RFC 9457 section 3.1.5): an id that a proxy chose need not be a UUID.
const instanceOf = (id: string): string => (uuid.test(id) ? `urn:uuid:${id}` : `#${id}`);

/** The body of a failure after RFC 9457: `type`, `title`, `status`, `code`, `detail`, `instance` (the request id), then the failure's own members. */
export function problemOf(failure: Failure, requestId: string | undefined): string {
  const { type, title, status, code, detail, members } = failure;
  const instance = requestId === undefined ? undefined : instanceOf(requestId);
  if (Object.keys(members).length > 0)
    return JSON.stringify({ type, title, status, code, detail, instance, ...members });
  let text = beginningOf(failure);
  if (detail !== undefined) text += `,"detail":${JSON.stringify(detail)}`;
  // Nothing that an id may have in it needs to be escaped.
  if (instance !== undefined) text += `,"instance":"${instance}"`;
  return `${text}}`;
}

/**
 * Answers a failure as `application/problem+json`, never cacheable, with headers that every answer carries as one flat list; breaks the connection
 * when an answer is already on its way.
 */
export function sendProblem(
  res: ServerResponse,
  failure: Failure,
  requestId?: string,
  always: readonly string[] = [],
): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  const body = problemOf(failure, requestId);
  const head = [...always];
  if (requestId !== undefined) head.push('X-Request-Id', requestId);
  for (const name in failure.headers) {
    const value = failure.headers[name] ?? '';
    if (typeof value === 'string') head.push(name, value);
    else for (const each of value) head.push(name, each);
  }
  head.push('Cache-Control', 'no-store', 'Content-Type', 'application/problem+json; charset=utf-8');
  const length = Buffer.byteLength(body);
  head.push('Content-Length', String(length));
  // Text of one byte a character is written as it is; other text has to be looked through for what takes more.
  res.writeHead(failure.status, head).end(body, length === body.length ? 'latin1' : 'utf8');
}
