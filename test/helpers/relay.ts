import { connect, createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

/** Stands before a server and passes everything on, until something is sent that ought to lose its answer. */
export interface Relay {
  readonly port: number;
  /** The next connection that sends this text gets no answer to it, nor to anything after it. */
  loseAnswerTo(text: string): void;
  /** Whether an answer was lost since. */
  lost(): boolean;
  close(): Promise<void>;
}

/** Starts it on a free port of 127.0.0.1. The caller closes it. */
export async function startRelay(target: number): Promise<Relay> {
  let wanted: string | undefined;
  let lost = false;
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    let deaf = false;
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.once('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
      socket.on('error', () => undefined);
    }
    near.on('data', (data) => {
      if (wanted !== undefined && data.includes(wanted)) {
        wanted = undefined;
        deaf = true;
        lost = true;
      }
      far.write(data);
    });
    far.on('data', (data) => {
      if (!deaf) near.write(data);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    loseAnswerTo(text) {
      wanted = text;
      lost = false;
    },
    lost: () => lost,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
