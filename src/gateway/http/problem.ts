import type { ServerResponse } from 'node:http';
import type { Failure } from './errors.ts';

/** The body of a failure after RFC 9457: `type`, `title`, `status`, `detail`, `instance` (the request id), `code`, then the failure's own members. */
export function problemOf(failure: Failure, requestId?: string): Record<string, unknown> {
  return {
    type: failure.type,
    title: failure.title,
    status: failure.status,
    ...(failure.detail === undefined ? {} : { detail: failure.detail }),
    ...(requestId === undefined ? {} : { instance: `urn:uuid:${requestId}` }),
    code: failure.code,
    ...failure.members,
  };
}

/**
 * Answers a failure as `application/problem+json`, never cacheable, with headers that every answer carries as one flat list; breaks the connection
 * when an answer is already on its way.
 */
export function sendProblem(res: ServerResponse, failure: Failure, requestId?: string, always: readonly string[] = []): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  const body = JSON.stringify(problemOf(failure, requestId));
  const head = [...always];
  if (requestId !== undefined) head.push('X-Request-Id', requestId);
  for (const name in failure.headers) head.push(name, failure.headers[name] ?? '');
  head.push('Cache-Control', 'no-store', 'Content-Type', 'application/problem+json; charset=utf-8');
  const length = Buffer.byteLength(body);
  head.push('Content-Length', String(length));
  // Text of one byte a character is written as it is; other text has to be looked through for what takes more.
  res.writeHead(failure.status, head).end(body, length === body.length ? 'latin1' : 'utf8');
}
