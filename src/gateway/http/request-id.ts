import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';

declare module 'express-serve-static-core' {
  interface Request {
    /** Names this request in the log, in problems and at the tenant; made here, since one from outside could be forged. */
    id?: string;
  }
}

/** Gives every request its own id (a UUID), told to the client as `X-Request-Id`. */
export const requestId: RequestHandler = function requestId(req, res, next) {
  req.id = randomUUID();
  res.setHeader('X-Request-Id', req.id);
  next();
};
