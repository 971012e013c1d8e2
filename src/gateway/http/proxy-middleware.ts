import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Options } from 'http-proxy-middleware';

/** What a proxy is made of, in http-proxy-middleware's own words. */
export type ProxyOptions = Options;

/** A proxy at work. */
export type Proxy = (req: IncomingMessage, res: ServerResponse, next?: (error?: unknown) => void) => Promise<void>;

/**
 * The one door to http-proxy-middleware: without its plugins, whose error page names host and path, and whose log is not ours. It is loaded by the first
 * request that needs it: that takes a tenth of the time in which a gateway starts.
 */
export const openProxy = (options: ProxyOptions): Proxy => {
  let proxy: Proxy | undefined;
  let opening: Promise<Proxy> | undefined;
  const open = async (): Promise<Proxy> => {
    const { createProxyMiddleware } = await import('http-proxy-middleware');
    return (proxy = createProxyMiddleware({ ...options, ejectPlugins: true }));
  };
  return (req, res, next) => {
    if (proxy !== undefined) return proxy(req, res, next);
    opening ??= open();
    return opening.then((opened) => opened(req, res, next));
  };
};
