import type { Pool as Connections } from 'undici';

/** Connections to one origin, each with one request at a time. */
export type Pool = Connections;

/**
 * The one door to undici: returns a pool of connections to an origin, each with one request at a
 * time. Its deadlines for responses are off, since they count in whole seconds. It is loaded by the
 * first request that needs it, as http-proxy-middleware is (see proxy-middleware.ts).
 */
export const openPool = async (
  origin: string,
  options: {
    readonly connections: number;
    readonly idleMs: number;
    readonly connectMs: number;
  },
): Promise<Connections> => {
  const { Pool } = await import('undici');
  const { connections, idleMs, connectMs } = options;
  return new Pool(origin, {
    connections,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: idleMs,
    keepAliveMaxTimeout: idleMs,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: connectMs },
  });
};
