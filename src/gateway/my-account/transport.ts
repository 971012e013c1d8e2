import type { SendCall, Transport, TransportOptions } from './call.ts';
import { createPoolTransport } from './pool.ts';
import { createProxyTransport } from './proxy.ts';

/**
 * Makes the way to the API. What a browser itself sends goes through http-proxy-middleware, what the
 * gateway asks on its own account through undici. Both hold to the same deadlines and fail in the
 * same words.
 */
export function createTransport(options: TransportOptions): Transport {
  const [proxy, pool] = [createProxyTransport(options), createPoolTransport(options)];
  const send: SendCall = (call, signal, onHead) =>
    (call.browser === undefined ? pool : proxy)(call, signal, onHead);
  return Object.assign(send, {
    close: () => {
      proxy.close();
      pool.close();
    },
  });
}
