import { fstatSync } from 'node:fs';
import { Socket } from 'node:net';
import { pino, type DestinationStream } from 'pino';

// A write for every line costs more than making it: lines are written together, at most a tenth of a second late. Warnings
// and errors, and the end of the process, wait for nothing.
const [batchBytes, batchMs, infoLevel] = [8_192, 100, 30];
// What a sink that takes nothing is waited with for; lines beyond it are dropped.
const heldBytes = 1_048_576;
// How long the end of the process waits for a reader that takes nothing.
const exitMs = 1_000;

let dropped = 0;

/** How many log lines of this process could not be written and were dropped. */
export const droppedLines = (): number => dropped;

// Held for ever: with it the descriptor would be closed.
const sockets: Socket[] = [];

// A pipe or socket whose reader stops would otherwise stop every write, and with it this process. Asynchronous writes are no
// way out: the stopped one keeps its thread, and Node waits for its threads when it exits.
const neverBlock = (fd: number): void => {
  try {
    const sink = fstatSync(fd);
    if (!sink.isFIFO() && !sink.isSocket()) return;
    const socket = new Socket({ fd, readable: false, writable: true });
    sockets.push(socket.on('error', () => undefined).unref());
  } catch {
    // Without a sink each write fails, and its line is dropped.
  }
};

/**
 * Opens a descriptor (1 or 2) for log lines. No sink ends or stops the process: what it does not take at present is held up
 * to a bound, then dropped and counted (see droppedLines).
 */
export const openLogDestination = (fd: 1 | 2): DestinationStream => {
  neverBlock(fd);
  let written = 0;
  const out = pino
    .destination({
      dest: fd,
      sync: true,
      minLength: batchBytes,
      maxLength: heldBytes,
      periodicFlush: batchMs,
      // A full pipe: the line stays held and the next write tries again. Waiting for it here would stop the process.
      retryEAGAIN: () => false,
    })
    .on('drop', () => (dropped += 1))
    .on('write', (bytes: number) => (written += bytes));
  let gone = false;
  let refusals = 0;
  out.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EAGAIN') refusals += 1;
    // pino stops writing when nobody will ever read again.
    gone ||= error.code === 'EPIPE';
  });
  process.once('exit', () => {
    const pause = new Int32Array(new SharedArrayBuffer(4));
    for (let waited = 0; !gone && waited < exitMs; waited += 10) {
      const [before, refused] = [written, refusals];
      out.flush();
      if (written > before) waited = 0;
      else if (refusals > refused) Atomics.wait(pause, 0, 0, 10);
      else return;
    }
  });
  return {
    [pino.symbols.needsMetadataGsym]: true,
    lastLevel: 0,
    write(line) {
      if (gone) dropped += 1;
      else out.write(line);
      if (this.lastLevel > infoLevel) out.flush();
    },
  } as DestinationStream & { lastLevel: number };
};
