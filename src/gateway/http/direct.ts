import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { ErrorRequestHandler, Express, Request, RequestHandler, Response } from 'express';

/** One handler that does what these do, in turn; a failure ends it. */
export const inTurn =
  (...steps: readonly RequestHandler[]): RequestHandler =>
  (req, res, next) => {
    let at = 0;
    const go = (error?: unknown): void => {
      const step = steps[at++];
      if (error !== undefined || step === undefined) next(error);
      else void step(req, res, go);
    };
    go();
  };

const nothing = (): void => undefined;

/**
 * The way past Express' router for addresses under `prefix`, by the same handlers: it would look through routes of which none is meant, and change what
 * kind of object request and response are. A refusal in a minimal Express takes one and a half to three times a plain server's time.
 * Everything else, other spellings of the prefix among it, goes through the application.
 */
export function createDirect(way: {
  readonly prefix: string;
  readonly arrive: RequestHandler;
  readonly handle: RequestHandler;
  readonly failed: ErrorRequestHandler;
  readonly app: Express;
  readonly unanswered: (req: IncomingMessage, res: ServerResponse, error?: unknown) => void;
}): RequestListener {
  const { prefix, arrive, handle, failed, app, unanswered } = way;
  return (req, res) => {
    if (req.url?.startsWith(prefix) !== true) {
      app(req as Request, res as Response, (error: unknown) => unanswered(req, res, error));
      return;
    }
    const [request, response] = [req as Request, res as Response];
    request.originalUrl = req.url;
    response.locals = {};
    const fail = (error: unknown): void => {
      try {
        void failed(error, request, response, nothing);
      } catch {
        res.destroy();
      }
    };
    void arrive(request, response, (error) => {
      if (error !== undefined) {
        fail(error);
        return;
      }
      try {
        const answered = handle(request, response, fail);
        if (answered instanceof Promise) answered.catch(fail);
      } catch (refusal) {
        fail(refusal);
      }
    });
  };
}
