import { createServer, type AddressInfo, type Socket } from 'node:net';

/** A dev server that answers bytes of the test's choice: all that was sent to it, and its end. */
export interface RawDevServer {
  readonly url: string;
  /** Every request that came, as sent. */
  readonly requests: string[];
  /** Sets what the next requests are answered with; a function gets the socket and the request. */
  answers(with_: string | ((socket: Socket, request: string) => void)): void;
  close(): Promise<void>;
}

/** Starts it on a free port of 127.0.0.1; the caller closes it. A request counts as whole at its empty line. */
export const startRawDevServer = async (): Promise<RawDevServer> => {
  const requests: string[] = [];
  const open = new Set<Socket>();
  let answer: string | ((socket: Socket, request: string) => void) = '';
  const server = createServer((socket) => {
    open.add(socket);
    let text = '';
    let answered = false;
    socket.setEncoding('latin1').on('error', () => undefined);
    socket.once('close', () => open.delete(socket));
    socket.on('data', (more: string) => {
      text += more;
      if (answered || !text.includes('\r\n\r\n')) return;
      answered = true;
      requests.push(text);
      if (typeof answer === 'string') socket.end(answer, 'latin1');
      else answer(socket, text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answers(with_) {
      answer = with_;
    },
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
