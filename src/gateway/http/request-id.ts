import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';

declare module 'express-serve-static-core' {
  interface Request {
    /** Names this request in the log, in problems and at the tenant; made here, since one from outside could be forged. */
    id?: string;
  }
}

/** Gives every request its own id (a UUID). Every answer tells it as `X-Request-Id`: see security-headers. */
export const requestId: RequestHandler = function requestId(req, _res, next) {
  req.id = randomUUID();
  next();
};
