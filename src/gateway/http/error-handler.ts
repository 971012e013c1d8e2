import type { ErrorRequestHandler, Response } from 'express';
import { Failure } from './errors.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { isNavigation } from './navigation.ts';
import { failurePage } from './page.ts';
import { sendProblem } from './problem.ts';

/** Which member of a failure says where a person goes instead of reading a problem document. */
const wayOn: Partial<Record<Failure['code'], string>> = {
  login_required: 'loginUrl',
  step_up_required: 'stepUpUrl',
};

// What was said of an answer that is not given now: of a file, or of another server's answer (RFC 9110 section 8). Its length over a page of ours would
// make two answers of one.
const ofAnotherAnswer = [
  ...[
    'content-length',
    'transfer-encoding',
    'trailer',
    'content-encoding',
    'content-range',
    'content-language',
    'content-location',
  ],
  ...[
    'content-disposition',
    'accept-ranges',
    'etag',
    'last-modified',
    'expires',
    'age',
    'location',
    'link',
  ],
];

/**
 * The last handler: a `Failure` becomes a problem (script), a redirect to sign-in or step-up, or a readable page (navigation). Anything else
 * is logged whole and answered 500 `internal`, empty of internals. An answer already begun is broken off, so no half answer looks whole.
 */
export function createErrorHandler(parts: {
  readonly log: Log;
  readonly metrics?: Metrics;
  /** Names and values that every answer carries, in turn, where no handler before this one has set them. */
  readonly headers?: readonly string[];
}): ErrorRequestHandler {
  const { log, metrics, headers: always = [] } = parts;
  return function errorHandler(error: unknown, req, res, _next) {
    const failure = asFailure(error);
    metrics?.failures.inc({ code: failure.code });
    if (failure.status >= 500) {
      const level = failure.code === 'internal' ? 'error' : 'warn';
      log[level](
        {
          requestId: req.id,
          code: failure.code,
          err: failure.code === 'internal' ? error : failure,
        },
        'failed',
      );
    }
    if (res.headersSent) {
      res.destroy();
      return;
    }
    for (const name of ofAnotherAnswer) if (res.hasHeader(name)) res.removeHeader(name);
    const navigation = isNavigation(req);
    if (failure.code === 'login_required' && failure.members['loginUrl'] === undefined) {
      const returnTo =
        navigation && req.method === 'GET'
          ? `?returnTo=${encodeURIComponent(req.originalUrl)}`
          : '';
      failure.members['loginUrl'] = `/auth/login${returnTo}`;
    }
    if (!navigation) {
      sendProblem(res, failure, req.id, always);
      return;
    }
    for (let i = 0; i + 1 < always.length; i += 2)
      res.setHeader(always[i] ?? '', always[i + 1] ?? '');
    if (req.id !== undefined) res.setHeader('X-Request-Id', req.id);
    const target = failure.members[wayOn[failure.code] ?? ''];
    if (typeof target === 'string') redirect(res, target, req.method);
    else
      sendPage(
        res,
        failure,
        req.id,
        failure.code === 'store_unavailable' && req.method === 'GET' ? req.originalUrl : undefined,
      );
  };
}

/** Errors of Express and body parsers carry a 4xx status of their own; everything else is ours to hide. */
function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const status =
    typeof error === 'object' && error !== null && 'status' in error ? error.status : undefined;
  if (status === 413) return new Failure('body_too_large', { cause: error });
  if (status === 415) return new Failure('unsupported_media_type', { cause: error });
  if (typeof status === 'number' && status >= 400 && status < 500)
    return new Failure('invalid_request', { cause: error });
  return new Failure('internal', { cause: error });
}

function redirect(res: Response, target: string, method: string): void {
  res.statusCode = method === 'GET' || method === 'HEAD' ? 302 : 303;
  res.setHeader('Location', target);
  res.setHeader('Cache-Control', 'no-store');
  res.end();
}

function sendPage(
  res: Response,
  failure: Failure,
  requestId: string | undefined,
  again: string | undefined,
): void {
  res.statusCode = failure.status;
  for (const [name, value] of Object.entries(failure.headers)) {
    if (typeof value === 'string') res.setHeader(name, value);
    else res.appendHeader(name, value);
  }
  res.setHeader('Cache-Control', 'no-store');
  res.setHeader('Content-Type', 'text/html; charset=utf-8');
  res.end(failurePage(failure, requestId, again));
}
