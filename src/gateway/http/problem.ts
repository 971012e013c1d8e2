import type { ServerResponse } from 'node:http';
import type { Failure, Written } from './errors.ts';

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

// Refusals of a flood are one failure told many times: its text is written once, around the request's id. None is changed after it was told.
const place = '00000000-0000-0000-0000-000000000000';
const write = (failure: Failure): Written => {
  const text = JSON.stringify(problemOf(failure, place));
  const [before = '', after = ''] = text.split(place, 2);
  return { before, after, plain: Buffer.byteLength(text) === text.length };
};

const textOf = (failure: Failure, requestId: string | undefined): { readonly body: string; readonly plain: boolean } => {
  if (requestId === undefined) return { body: JSON.stringify(problemOf(failure)), plain: false };
  const { before, after, plain } = (failure.written ??= write(failure));
  return { body: before + requestId + after, plain };
};

/**
 * Answers a failure as `application/problem+json`, never cacheable, with headers that every answer carries as one flat list; breaks the connection
 * when an answer is already on its way.
 */
export function sendProblem(res: ServerResponse, failure: Failure, requestId?: string, always: readonly string[] = []): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  const { body, plain } = textOf(failure, requestId);
  const head = [...always];
  if (requestId !== undefined) head.push('X-Request-Id', requestId);
  for (const name in failure.headers) head.push(name, failure.headers[name] ?? '');
  head.push('Cache-Control', 'no-store', 'Content-Type', 'application/problem+json; charset=utf-8');
  head.push('Content-Length', String(plain ? body.length : Buffer.byteLength(body)));
  // Text of one byte a character is written as it is; other text has to be looked through for what takes more.
  res.writeHead(failure.status, head).end(body, plain ? 'latin1' : 'utf8');
}
