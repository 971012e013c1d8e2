import type { ErrorRequestHandler, RequestHandler } from 'express';
import { Failure } from './errors.ts';

/**
 * Gives a reader of bodies a deadline in milliseconds: `body_timeout` when the body is not there by then, and the connection closes after that answer.
 * A server's own deadline for whole requests is not this gateway's to set where it is mounted into another application.
 */
export const within = (ms: number, read: RequestHandler): RequestHandler =>
  function readInTime(req, res, next) {
    const timer = setTimeout(
      () => once(new Failure('body_timeout', { headers: { Connection: 'close' } })),
      ms,
    );
    let over = false;
    const once = (error?: unknown): void => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      next(error);
    };
    void read(req, res, once);
  };

/** Answers `upstream_timeout` when a handler has not begun its answer within these milliseconds; what it says afterwards is heard by nobody. */
export const answeredWithin = (ms: number, failed: ErrorRequestHandler): RequestHandler =>
  function answerInTime(req, res, next) {
    const timer = setTimeout(() => {
      if (!res.headersSent) void failed(new Failure('upstream_timeout'), req, res, next);
    }, ms).unref();
    res.once('close', () => clearTimeout(timer));
    next();
  };
