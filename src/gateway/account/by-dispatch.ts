import { Readable } from 'node:stream';
import type { IncomingHttpHeaders } from 'node:http';
import { openConnections, type Control, type Hearer } from '../http/dispatcher.ts';
import { Failure, type FailureCode } from '../http/errors.ts';
import { NoAnswer, pool } from './call.ts';
import type { Call, Engine, ForwardOptions, Heard, Send } from './call.ts';
import { createLines, type Line, type Lines } from './lines.ts';
import { BrokenAnswer, heldBytes, type Read } from './response.ts';

/** A body too long to be held, as it comes. */
class Rest extends Readable {
  complete = false;
  readonly #control: Control;
  constructor(control: Control) {
    super();
    this.#control = control;
  }
  override _read(): void {
    this.#control.resume();
  }
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.complete) this.#control.abort(error ?? new Error('not wanted any more'));
    done(error);
  }
}

interface Wish {
  readonly call: Call;
  readonly signal: AbortSignal;
  readonly heard: Heard;
  readonly deadlines: Pick<ForwardOptions, 'connectMs' | 'answerMs'>;
  readonly resolve: (read: Read) => void;
  readonly reject: (error: Error) => void;
}

/** One request on its way, from the line it waits for to the last byte of its answer. */
class Flight implements Hearer {
  readonly #wish: Wish;
  readonly #lines: Lines;
  #line: Line | undefined;
  #control: Control | undefined;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  #chunks: Buffer[] = [];
  #length = 0;
  #rest: Rest | undefined;
  #settled = false;
  #connecting: NodeJS.Timeout | undefined;
  readonly #deadline: NodeJS.Timeout;
  readonly #leave: () => void;

  constructor(wish: Wish, lines: Lines) {
    this.#wish = wish;
    this.#lines = lines;
    this.#deadline = setTimeout(() => {
      this.#cut('upstream_timeout');
    }, wish.deadlines.answerMs);
    // By a name of its own first: a function written where it is assigned to a property lives until a full collection, and all that it holds; so
    // does what Node makes of a listener that is an object.
    const leave = (): void => {
      this.#cut('upstream_unreachable', wish.signal.reason);
    };
    this.#leave = leave;
    wish.signal.addEventListener('abort', leave);
    lines.take((line) => {
      this.#start(line);
    });
  }

  #start(line: Line): void {
    if (this.#settled) {
      this.#lines.giveBack(line, false);
      return;
    }
    this.#line = line;
    const { method, url: path, headers } = this.#wish.call;
    if (!line.open) {
      this.#connecting = setTimeout(() => {
        this.#cut('upstream_timeout');
      }, this.#wish.deadlines.connectMs);
    }
    line.connection.dispatch({ method, path, headers }, this);
  }

  /** Ends it from our side. */
  #cut(code: FailureCode, cause?: unknown): void {
    const failure = new Failure(code);
    this.#fail(code, cause);
    this.#rest?.destroy(failure);
    if (this.#control !== undefined) this.#control.abort(failure);
    else this.#over(true);
  }

  #fail(code: FailureCode, cause?: unknown): void {
    if (this.#settled) return;
    this.#settled = true;
    const { reject } = this.#wish;
    if (this.#status !== 0) {
      reject(code === 'upstream_timeout' ? new Failure(code) : new BrokenAnswer('the answer broke off', { cause }));
      return;
    }
    const sent = this.#control !== undefined;
    reject(new NoAnswer(code, { sent, stale: sent && this.#line?.fresh === false && code === 'upstream_unreachable', cause }));
  }

  #over(broken: boolean): void {
    clearTimeout(this.#deadline);
    clearTimeout(this.#connecting);
    this.#wish.signal.removeEventListener('abort', this.#leave);
    const line = this.#line;
    this.#line = undefined;
    if (line !== undefined) this.#lines.giveBack(line, broken);
  }

  #settle(rest: Rest | undefined): void {
    if (this.#settled) return;
    this.#settled = true;
    const [first] = this.#chunks;
    const body = this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#wish.resolve({ status: this.#status, headers: this.#headers, body, rest });
  }

  onRequestStart(control: Control): void {
    clearTimeout(this.#connecting);
    if (this.#settled) control.abort(new Failure('upstream_unreachable'));
    else this.#control = control;
  }
  onResponseStart(_control: Control, status: number, headers: IncomingHttpHeaders): void {
    // RFC 9110 section 15.2: what comes before the answer is not the answer.
    if (status < 200 || this.#settled) return;
    this.#status = status;
    this.#headers = headers;
    this.#wish.heard(status, headers);
  }
  onResponseData(control: Control, chunk: Buffer): void {
    if (this.#rest !== undefined) {
      if (!this.#rest.push(chunk)) control.pause();
      return;
    }
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#length <= heldBytes) return;
    control.pause();
    this.#rest = new Rest(control);
    this.#settle(this.#rest);
  }
  onResponseEnd(): void {
    if (this.#rest !== undefined) {
      this.#rest.complete = true;
      this.#rest.push(null);
    }
    this.#settle(undefined);
    this.#over(false);
  }
  onResponseError(_control: Control, error: Error): void {
    this.#fail('upstream_unreachable', error);
    this.#rest?.destroy(error);
    if (this.#line !== undefined) this.#line.open = false;
    this.#over(false);
  }
}

/**
 * Reads, by undici: answered whole, without the streams of Node's own client and without a response for a middleware to write to. Redirects are
 * not followed, and nothing is repeated.
 */
export function createByDispatch({ upstream, connectMs, answerMs }: ForwardOptions): Engine {
  let lines: Lines | undefined;
  let opening: Promise<Lines> | undefined;
  let closed = false;
  const open = async (): Promise<Lines> => {
    lines = createLines(await openConnections(upstream, pool), pool.connections);
    if (closed) lines.close();
    return lines;
  };
  const deadlines = { connectMs, answerMs };
  const engine: Send = async (call, signal, heard) => {
    const ready = lines ?? (await (opening ??= open()));
    return new Promise((resolve, reject) => {
      if (signal.aborted) reject(new NoAnswer('upstream_unreachable', { sent: false, stale: false, cause: signal.reason }));
      else new Flight({ call, signal, heard, deadlines, resolve, reject }, ready);
    });
  };
  return Object.assign(engine, {
    close: () => {
      closed = true;
      lines?.close();
    },
  });
}
