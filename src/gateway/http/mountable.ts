import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import type { Express, Request, Response } from 'express';
import type { OwnPaths } from './own-paths.ts';

type Next = (error?: unknown) => void;

/**
 * The gateway as a handler: of a server of its own, or of another application, Express or not. With `next` it is a guest and calls it for
 * every request that is none of its own, which it leaves as it was; without, it answers all of them.
 */
export interface Mountable {
  (req: IncomingMessage, res: ServerResponse, next?: Next): void;
  /** Its routes, for whoever wants to list them. */
  readonly router: Express['router'];
}

const pathOf = (url: string): string => {
  const end = url.search(/[?#]/);
  return (end === -1 ? url : url.slice(0, end)).toLowerCase();
};

/** Returns whether a request's target is one of these paths; a slash at its end changes nothing, as in Express. */
export const createOwns = ({ exact, under }: OwnPaths): ((url: string) => boolean) => {
  const paths = new Set(exact);
  return (url) => {
    const path = pathOf(url);
    return (
      paths.has(path) ||
      (path.endsWith('/') && paths.has(path.slice(0, -1))) ||
      under.some((start) => path.startsWith(start))
    );
  };
};

const http11Required = 0xd;
// An Express application makes its own kind of object out of every request it sees: HTTP/2 requests break in its hands, in the middle of an event.
// A browser asks again over HTTP/1.1 (RFC 9113 section 7), where the server has it.
const askForHttp1 = (res: ServerResponse): boolean => {
  if (!('stream' in res)) return false;
  (res.stream as ServerHttp2Stream).close(http11Required);
  return true;
};

/**
 * Makes it from an Express application. Mounted as a plain handler and not as an application of Express', it takes over nothing of its host's
 * (settings, prototypes), whichever version that is. `owns` is asked before anything is touched; `unanswered` ends what nobody answers.
 */
export const mountable = (parts: {
  readonly app: Express;
  readonly owns: (url: string) => boolean;
  readonly unanswered: (req: IncomingMessage, res: ServerResponse, error?: unknown) => void;
}): Mountable => {
  const { app, owns, unanswered } = parts;
  const asGuest = (req: IncomingMessage, res: ServerResponse, next: Next): void => {
    if (!owns(req.url ?? '/')) {
      next();
      return;
    }
    if (askForHttp1(res)) return;
    const [request, response] = [
      Object.getPrototypeOf(req) as object,
      Object.getPrototypeOf(res) as object,
    ];
    const headers = res.getHeaders();
    app(req as Request, res as Response, (error?: unknown) => {
      // A file that the front end does not have is the host's to answer.
      Object.setPrototypeOf(req, request);
      Object.setPrototypeOf(res, response);
      for (const name of res.getHeaderNames())
        if (headers[name] === undefined) res.removeHeader(name);
      for (const [name, value] of Object.entries(headers))
        if (value !== undefined) res.setHeader(name, value);
      next(error);
    });
  };
  const handle = (req: IncomingMessage, res: ServerResponse, next?: Next): void => {
    if (next !== undefined) asGuest(req, res, next);
    else if (!askForHttp1(res))
      app(req as Request, res as Response, (error?: unknown) => unanswered(req, res, error));
  };
  return Object.assign(handle, { router: app.router });
};
