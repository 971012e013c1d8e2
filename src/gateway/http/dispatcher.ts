import type { Client, Dispatcher } from 'undici';

/** One connection to a server, made when it is needed and made anew when it was closed; it carries one request at a time. */
export type Connection = Client;

/** What hears of a request under way. */
export type Hearer = Dispatcher.DispatchHandler;

/** A request under way, as its hearer may slow it down or end it. */
export type Control = Dispatcher.DispatchController;

/**
 * The one door to undici, with its own deadlines off: they count in whole seconds. It is loaded by the first request that needs it, as
 * http-proxy-middleware is (see proxy-middleware.ts).
 */
export const openConnections = async (origin: string, options: { readonly idleMs: number }): Promise<() => Connection> => {
  const { Client } = await import('undici');
  const { idleMs } = options;
  return () =>
    new Client(origin, {
      allowH2: false,
      keepAliveTimeout: idleMs,
      keepAliveMaxTimeout: idleMs,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: 0 },
    });
};
