// The load generator. autocannon costs about as much processor time per request as the bare proxy itself, and wrk can neither pace nor is it everywhere;
// sockets written and read directly cost a quarter of that: requests are made once as bytes, answers are told by status line and length alone.
import { connect, type Socket } from 'node:net';

/** One load: what is asked, how often, and which answers are right ones. */
export interface Job {
  readonly port: number;
  readonly path: string;
  /** One for each connection in turn; none: without a cookie. */
  readonly cookies: readonly string[];
  readonly connections: number;
  readonly seconds: number;
  /** Bytes of a right answer's body; a status named here is counted as good whatever its length. */
  readonly length: number;
  readonly also?: number;
  /** Makes the address of every request a new one, so that no answer is at hand. */
  readonly unique?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sends so many a second whatever comes back (open loop); without it, each connection asks again as soon as it is answered. */
  readonly perSecond?: number;
  /** Takes the next cookie for every request, not for every connection. */
  readonly rotate?: boolean;
}

/** What came of it: seconds it took, answers by status, milliseconds from when a request was due until it was answered whole. */
export interface Outcome {
  readonly seconds: number;
  readonly good: number;
  readonly statuses: Readonly<Record<string, number>>;
  /** Connections that broke, and answers of 200 with another length. */
  readonly broken: number;
  readonly p50: number;
  readonly p99: number;
  /** How late the generator itself was at most in ninety-nine of a hundred requests that it paced, in milliseconds. */
  readonly late: number;
}

const digits = 12;
const placeholder = '0'.repeat(digits);
const answerBytes = 262_144;

const requestBytes = (job: Job, cookie: string | undefined): Buffer => {
  const mark = job.path.includes('?') ? '&' : '?';
  const headers = {
    host: `127.0.0.1:${job.port}`,
    'x-csrf': '1',
    accept: 'application/json',
    ...(cookie !== undefined && { cookie }),
    ...job.headers,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(
    `GET ${job.path}${job.unique === true ? `${mark}from=${placeholder}` : ''} HTTP/1.1\r\n${lines.join('')}\r\n`,
    'latin1',
  );
};

/** Whole length of the answer that begins these bytes, or -1 while its end is not known yet. */
const lengthOf = (text: string): number => {
  const head = text.indexOf('\r\n\r\n');
  if (head === -1) return -1;
  const said = /\r\ncontent-length: *(\d+)/i.exec(text);
  if (said !== null && said.index < head) return head + 4 + Number(said[1]);
  if (/\r\ntransfer-encoding: *chunked/i.test(text.slice(0, head + 2))) return text.endsWith('\r\n0\r\n\r\n') ? text.length : -1;
  return head + 4;
};

const percentile = (sorted: Float64Array, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;

let counter = Math.floor(Math.random() * 1e9) * 100;

/** Runs one load to its end: what is under way then is waited for, so that the upstream saw what was answered and nothing else. */
export const runLoad = async (job: Job): Promise<Outcome> => {
  const statuses = new Map<string, number>();
  const times: number[] = [];
  const lateness: number[] = [];
  let good = 0;
  let broken = 0;
  let turn = 0;
  let underWay = 0;
  let ended = false;
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  const requests = (job.cookies.length === 0 ? [undefined] : job.cookies).map((cookie) => {
    const bytes = requestBytes(job, cookie);
    return { bytes, at: job.unique === true ? bytes.indexOf(placeholder, 0, 'latin1') : -1 };
  });
  /** Requests that are due, by when, and no connection is free for: open loop only. */
  const due: number[] = [];
  const idle: (() => void)[] = [];
  const paced = job.perSecond !== undefined;

  const open = async (): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const own = requests[turn++ % requests.length];
      const buffer = Buffer.allocUnsafe(answerBytes);
      let text = '';
      let whole = -1;
      let body = 0;
      let since = -1;
      const ask = (): void => {
        const request = job.rotate === true ? requests[turn++ % requests.length] : own;
        if (request === undefined) return;
        // The bytes are out before the next request is written into them: they fit the socket's buffer, and one answer is awaited at a time.
        if (request.at >= 0) request.bytes.write(String(++counter).padStart(digits, '0'), request.at, 'latin1');
        underWay += 1;
        socket.write(request.bytes);
      };
      const next = (): void => {
        const waiting = paced ? due.shift() : performance.now();
        if (ended && waiting === undefined) return;
        if (ended && !paced) return;
        if (waiting === undefined) {
          idle.push(() => {
            since = performance.now();
            ask();
          });
          return;
        }
        since = waiting;
        ask();
      };
      const socket = connect({
        port: job.port,
        host: '127.0.0.1',
        onread: {
          buffer,
          callback(size) {
            const piece = buffer.toString('latin1', 0, size);
            text = text === '' ? piece : text + piece;
            if (whole === -1) whole = lengthOf(text);
            if (whole === -1 || text.length < whole) return true;
            const status = text.slice(9, 12);
            body = whole - text.indexOf('\r\n\r\n') - 4;
            statuses.set(status, (statuses.get(status) ?? 0) + 1);
            if ((status === '200' && body === job.length) || status === String(job.also)) good += 1;
            else if (status === '200') broken += 1;
            times.push(performance.now() - since);
            const closes = /\r\nconnection: *close/i.test(text);
            text = '';
            whole = -1;
            since = -1;
            underWay -= 1;
            if (closes) socket.destroy();
            else next();
            if (ended && underWay === 0 && due.length === 0) finish();
            return true;
          },
        },
      });
      socket.setNoDelay(true);
      socket.once('connect', () => {
        resolve(socket);
        socket.removeListener('error', reject);
      });
      socket.once('error', reject);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        sockets.delete(socket);
        if (since !== -1) {
          underWay -= 1;
          broken += 1;
        }
        if (ended && underWay === 0) finish();
        // A connection that ended is opened anew, as any client does.
        if (!ended) void open().then(begin, () => (broken += 1));
      });
      starts.set(socket, next);
    });
  const sockets = new Set<Socket>();
  const starts = new Map<Socket, () => void>();
  const begin = (socket: Socket): void => {
    sockets.add(socket);
    starts.get(socket)?.();
    starts.delete(socket);
  };
  const opened = await Promise.all(Array.from({ length: job.connections }, open));
  const began = performance.now();
  for (const socket of opened) begin(socket);
  let pacer: NodeJS.Timeout | undefined;
  if (job.perSecond !== undefined) {
    const every = 1_000 / job.perSecond;
    let sent = 0;
    pacer = setInterval(() => {
      const now = performance.now();
      while (!ended && began + sent * every <= now) {
        // The timer of this process is as coarse as a millisecond: that is not the server's doing. What waits for a free connection is, and counts from here.
        lateness.push(now - (began + sent * every));
        sent += 1;
        const free = idle.shift();
        if (free === undefined) due.push(now);
        else free();
      }
    }, 1);
  }
  await new Promise((resolve) => setTimeout(resolve, job.seconds * 1_000));
  ended = true;
  clearInterval(pacer);
  const seconds = (performance.now() - began) / 1_000;
  const patience = setTimeout(() => {
    broken += underWay;
    finish();
  }, 10_000);
  if (underWay === 0) finish();
  await finished;
  clearTimeout(patience);
  for (const socket of sockets) socket.destroy();
  const sorted = Float64Array.from(times).sort();
  return {
    seconds,
    good,
    statuses: Object.fromEntries(statuses),
    broken,
    p50: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99),
    late: percentile(Float64Array.from(lateness).sort(), 0.99),
  };
};
