import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Options, RequestHandler } from 'http-proxy-middleware';

/** What a proxy is made of, in http-proxy-middleware's own words. */
export type ProxyOptions = Options;

/** A proxy at work; `upgrade` is for the one listener that a server's upgrades have. */
export interface Proxy {
  (req: IncomingMessage, res: ServerResponse, next?: (error?: unknown) => void): Promise<void>;
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): Promise<void>;
}

/**
 * The one door to http-proxy-middleware: without its plugins, whose error page names host and path, and whose log is not ours. It is loaded by the first
 * request that needs it: that takes a tenth of the time in which a gateway starts.
 */
export const openProxy = (options: ProxyOptions): Proxy => {
  let proxy: RequestHandler | undefined;
  let opening: Promise<RequestHandler> | undefined;
  const open = async (): Promise<RequestHandler> => {
    const { createProxyMiddleware } = await import('http-proxy-middleware');
    return (proxy = createProxyMiddleware({ ...options, ejectPlugins: true }));
  };
  const pass = (
    req: IncomingMessage,
    res: ServerResponse,
    next?: (error?: unknown) => void,
  ): Promise<void> => {
    if (proxy !== undefined) return proxy(req, res, next);
    opening ??= open();
    return opening.then((opened) => opened(req, res, next));
  };
  return Object.assign(pass, {
    async upgrade(req: IncomingMessage, socket: Duplex, head: Buffer) {
      opening ??= open();
      const { upgrade } = await opening;
      // A server's sockets are sockets of the network; Node's own types name the wider kind.
      if (socket instanceof Socket) upgrade(req, socket, head);
      else socket.destroy();
    },
  });
};
