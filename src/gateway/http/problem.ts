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

/** Answers a failure as `application/problem+json`, never cacheable; breaks the connection when an answer is already on its way. */
export function sendProblem(res: ServerResponse, failure: Failure, requestId?: string): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  const body = Buffer.from(JSON.stringify(problemOf(failure, requestId)));
  res.statusCode = failure.status;
  for (const [name, value] of Object.entries(failure.headers)) res.setHeader(name, value);
  res.setHeader('Cache-Control', 'no-store');
  res.setHeader('Content-Type', 'application/problem+json; charset=utf-8');
  res.setHeader('Content-Length', body.length);
  res.end(body);
}
