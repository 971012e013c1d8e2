import { connect } from 'node:net';

/** A kept-alive connection of the load: one request at a time, its bytes made beforehand. */
export interface Connection {
  send(request: Buffer): void;
  close(): void;
}

/** Told of each answer once it is whole: its status and how long its body was. */
export interface Listener {
  answer(status: string, length: number): void;
  /** The connection is gone; a request under way gets no answer. */
  ended(): void;
}

const longestAnswer = 262_144;

// Whole length of the answer that begins this text, or -1 while its end is not known yet.
const lengthOf = (text: string, head: number): number => {
  if (head === -1) return -1;
  const fields = text.slice(0, head + 2);
  const said = /\r\ncontent-length: *(\d+)/i.exec(fields);
  if (said !== null) return head + 4 + Number(said[1]);
  if (/\r\ntransfer-encoding: *chunked/i.test(fields)) return text.endsWith('\r\n0\r\n\r\n') ? text.length : -1;
  return head + 4;
};

/** Opens one to this port of this machine. */
export const openConnection = async (port: number, listener: Listener): Promise<Connection> =>
  new Promise((resolve, reject) => {
    const buffer = Buffer.allocUnsafe(longestAnswer);
    let text = '';
    const socket = connect({
      ...{ port, host: '127.0.0.1', noDelay: true },
      onread: {
        buffer,
        callback(size) {
          text += buffer.toString('latin1', 0, size);
          const head = text.indexOf('\r\n\r\n');
          const whole = lengthOf(text, head);
          if (whole === -1 || text.length < whole) return true;
          const status = text.slice(9, 12);
          if (/\r\nconnection: *close/i.test(text.slice(0, head + 2))) socket.destroy();
          text = '';
          listener.answer(status, whole - head - 4);
          return true;
        },
      },
    });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.removeListener('error', reject).on('error', () => undefined);
      socket.once('close', () => listener.ended());
      resolve({ send: (request) => void socket.write(request), close: () => void socket.destroy() });
    });
  });
