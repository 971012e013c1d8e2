import { connect, type Socket } from 'node:net';

/** What came back over one connection: the bytes as latin1 text, and whether the other side closed it. */
export interface RawAnswer {
  readonly text: string;
  readonly closed: boolean;
}

/**
 * Writes these bytes to a port of this machine, as they are, and returns what came back when the other
 * side closes, or when nothing was closed within `patience` milliseconds; it closes its own side then.
 */
export const exchangeRaw = (port: number, bytes: string, patience = 15_000): Promise<RawAnswer> =>
  new Promise((resolve) => {
    let text = '';
    let over = false;
    const socket = connect(port, 'localhost', () => socket.write(bytes, 'latin1'));
    const end = (closed: boolean): void => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      socket.destroy();
      resolve({ text, closed });
    };
    const timer = setTimeout(() => end(false), patience);
    socket.setEncoding('latin1').on('data', (more: string) => (text += more));
    socket.on('close', () => end(true)).on('error', () => undefined);
  });

/** Opens a connection, writes these bytes and returns the socket once they are written. */
export const openRaw = (port: number, bytes: string): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, 'localhost', () => {
      socket.write(bytes, 'latin1', () => resolve(socket));
    });
    socket.on('error', () => undefined).once('error', reject);
  });

/** A request as its lines, ended by an empty one. */
export const lines = (...each: readonly string[]): string => `${each.join('\r\n')}\r\n\r\n`;

/** The status of the final answer (an interim one such as 100 is passed over), or undefined when there is none. */
export const statusOf = ({ text }: RawAnswer): number | undefined => {
  const found = /^(?:HTTP\/1\.1 1(?!01)\d\d .*\r\n\r\n)*HTTP\/1\.[01] (\d{3}) /.exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
};
