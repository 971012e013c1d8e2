import type { RequestHandler } from 'express';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';

declare module 'express-serve-static-core' {
  interface Locals {
    /** The route as a pattern of ours (never the path as sent), set by whoever recognised it. */
    route?: string;
  }
}

const methods = new Set(['GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE', 'OPTIONS']);

/** One log line and one measurement per answered request: method, route pattern, status, milliseconds; 499 when the browser left first. */
export function createAccessLog({
  log,
  metrics,
}: {
  readonly log: Log;
  readonly metrics: Metrics;
}): RequestHandler {
  return function accessLog(req, res, next) {
    const began = performance.now();
    res.once('close', () => {
      const ms = performance.now() - began;
      const method = methods.has(req.method) ? req.method : 'other';
      const route = res.locals.route ?? routeOf(req.route) ?? 'other';
      const status = res.writableFinished ? res.statusCode : 499;
      metrics.requestSeconds.observe({ method, route, status }, ms / 1000);
      log.info(
        { requestId: req.id, method, route, status, ms: Math.round(ms * 100) / 100 },
        'answered',
      );
    });
    next();
  };
}

function routeOf(route: unknown): string | undefined {
  return typeof route === 'object' &&
    route !== null &&
    'path' in route &&
    typeof route.path === 'string'
    ? route.path
    : undefined;
}
