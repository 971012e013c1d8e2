import { createProxyMiddleware, type Options, type RequestHandler } from 'http-proxy-middleware';

/** What a proxy is made of, in http-proxy-middleware's own words. */
export type ProxyOptions = Options;

/** The one door to http-proxy-middleware: without its plugins, whose error page names host and path, and whose log is not ours. */
export const openProxy = (options: ProxyOptions): RequestHandler => createProxyMiddleware({ ...options, ejectPlugins: true });
