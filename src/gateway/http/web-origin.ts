import type { RequestHandler } from 'express';
import { Failure } from './errors.ts';
import { openProxy } from './proxy-middleware.ts';

const ours = /^(__Host-)?my_account_/;
const guarded = /^\/(api|auth)(\/|$)/;

/** Sends what is left to a dev server, WebSockets of its own included; the gateway's cookies stay here, since no front end has a use for them. */
export const createWebOrigin = (origin: string): RequestHandler => {
  const forward = openProxy({
    target: origin,
    changeOrigin: true,
    ws: true,
    // An upgrade never comes through Express: what the routes guard must be left out here as well.
    pathFilter: (path) => !guarded.test(path),
    plugins: [
      (server) => {
        const strip = (request: {
          getHeader(name: string): unknown;
          setHeader(name: string, value: string): unknown;
          removeHeader(name: string): void;
        }): void => {
          const sent = request.getHeader('cookie');
          const cookies = typeof sent === 'string' ? sent.split(';') : [];
          const theirs = cookies.map((each) => each.trim()).filter((each) => each !== '' && !ours.test(each));
          if (theirs.length === 0) request.removeHeader('cookie');
          else request.setHeader('cookie', theirs.join('; '));
        };
        server.on('proxyReq', strip);
        server.on('proxyReqWs', strip);
        server.on('error', (cause, req, res) => {
          const next = req === undefined ? undefined : waiting.get(req);
          if (next !== undefined)
            next(new Failure('upstream_unreachable', { detail: 'The dev server of the front end does not answer.', cause }));
          else if (res !== undefined && 'destroy' in res) res.destroy();
        });
      },
    ],
  });
  const waiting = new WeakMap<object, (error: unknown) => void>();
  return function webOrigin(req, res, next) {
    waiting.set(req, next);
    return forward(req, res, next);
  };
};
