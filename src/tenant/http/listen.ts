import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';

/** A listening server that can be closed with every connection it has. */
export interface Listener {
  port: number;
  /** Sets who answers; until then requests get 503. */
  answerWith(handler: (request: IncomingMessage, response: ServerResponse) => Promise<void>): void;
  close(): Promise<void>;
}

/**
 * Listens on a host and port (0: any free one). Listening comes first, since the tenant's own name
 * depends on the port.
 */
export async function listen(host: string, port: number): Promise<Listener> {
  let handle: ((request: IncomingMessage, response: ServerResponse) => Promise<void>) | undefined;
  const server: Server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    if (handle === undefined) response.writeHead(503).end();
    else void handle(request, response);
  });
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    answerWith(handler) {
      handle = handler;
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
