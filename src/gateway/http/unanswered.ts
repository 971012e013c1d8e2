import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express';
import { Failure } from './errors.ts';

const nothing = (): void => undefined;

/**
 * Makes the end of every request that no route has answered: 404 as a problem, or what `arrive` finds wrong with it. Express' router asks no handler at
 * all about a target in which it finds no path (`//a#@b`), and its own last answer waits for the end of a request stream that may never come.
 */
export const createUnanswered = (parts: {
  readonly arrive: RequestHandler;
  readonly failed: ErrorRequestHandler;
}): ((req: IncomingMessage, res: ServerResponse, error?: unknown) => void) => {
  const { arrive, failed } = parts;
  return (req, res, error) => {
    const [request, response] = [req as Request, res as Response];
    const answer = (found: unknown): void => {
      void failed(found ?? error ?? new Failure('not_found'), request, response, nothing);
    };
    if (!('originalUrl' in req)) request.originalUrl = req.url ?? '';
    if (!('locals' in res)) response.locals = {};
    // A request has its id from the moment it has arrived.
    if (request.id === undefined) void arrive(request, response, answer);
    else answer(undefined);
  };
};
