import { connect, createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

/** Stands before a server and passes everything on, until it is told otherwise. */
export interface Relay {
  readonly port: number;
  /** The next connection that sends this text gets no answer to it, nor to anything after it. */
  loseAnswerTo(text: string): void;
  /** Whether an answer was lost since. */
  lost(): boolean;
  /** The next so many connections that send this text get their answers only when they are released. */
  holdAnswersTo(text: string, connections: number): void;
  /** On how many connections an answer has arrived here and is held. */
  held(): number;
  /** Passes on what was held, and holds no more. */
  release(): void;
  /** Passes nothing in either direction, over connections there are and new ones; nobody is told. */
  cut(): void;
  /** Ends the connections that were cut and passes everything on again. */
  mend(): void;
  close(): Promise<void>;
}

/** Starts it on a free port of 127.0.0.1. The caller closes it. */
export async function startRelay(target = 0): Promise<Relay & { target(port: number): void }> {
  let toPort = target;
  let wanted: string | undefined;
  let lost = false;
  let holding: { readonly text: string; left: number } | undefined;
  let severed = false;
  const held = new Map<Socket, Buffer[]>();
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(toPort, '127.0.0.1');
    let deaf = false;
    let heldFor: typeof holding;
    const kept: Buffer[] = [];
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.once('close', () => {
        sockets.delete(socket);
        held.delete(near);
        near.destroy();
        far.destroy();
      });
      socket.on('error', () => undefined);
    }
    near.on('data', (data) => {
      if (severed) return;
      if (wanted !== undefined && data.includes(wanted)) {
        wanted = undefined;
        deaf = true;
        lost = true;
      }
      if (holding !== undefined && holding.left > 0 && data.includes(holding.text)) {
        holding.left -= 1;
        heldFor = holding;
      }
      far.write(data);
    });
    far.on('data', (data) => {
      if (deaf || severed) return;
      if (heldFor === undefined || heldFor !== holding) {
        near.write(data);
        return;
      }
      kept.push(data);
      held.set(near, kept);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    target(port) {
      toPort = port;
    },
    loseAnswerTo(text) {
      wanted = text;
      lost = false;
    },
    lost: () => lost,
    holdAnswersTo(text, connections) {
      holding = { text, left: connections };
    },
    held: () => held.size,
    release() {
      holding = undefined;
      for (const [near, chunks] of held) for (const chunk of chunks) near.write(chunk);
      held.clear();
    },
    cut() {
      severed = true;
    },
    mend() {
      severed = false;
      for (const socket of sockets) socket.destroy();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
