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
  if (/\r\ntransfer-encoding: *chunked/i.test(fields))
    return text.endsWith('\r\n0\r\n\r\n') ? text.length : -1;
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
      resolve({
        send: (request) => void socket.write(request),
        close: () => void socket.destroy(),
      });
    });
  });

// The load generator. autocannon costs about as much processor time per request as the bare proxy itself, and wrk can neither pace nor is it everywhere;
// sockets written and read directly cost a quarter of that: requests are made once as bytes, answers are told by status line and length alone.

/** One load: what is asked, how often, and which answers are right ones. */
export interface Job {
  readonly port: number;
  readonly path: string;
  /** One for each connection in turn; none: without a cookie. */
  readonly cookies: readonly string[];
  readonly connections: number;
  readonly seconds: number;
  /** Ends earlier when so many are answered. */
  readonly atMost?: number;
  /** Bytes of the body of a right answer of 200. */
  readonly length: number;
  /** Another status that is right, whatever its body. */
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
  /** Requests without an answer, and answers of 200 with another length. */
  readonly broken: number;
  readonly p50: number;
  readonly p99: number;
  /** How late the generator itself was in the worst hundredth of the requests it paced, in milliseconds. */
  readonly late: number;
}

interface Prepared {
  readonly bytes: Buffer;
  /** Where the number stands that makes an address new, or -1. */
  readonly at: number;
}

const digits = 12;
const placeholder = '0'.repeat(digits);
let numbered = Math.floor(Math.random() * 1e9) * 100;

const prepare = (job: Job, cookie: string | undefined): Prepared => {
  const fields = {
    host: `localhost:${job.port}`,
    'x-csrf': '1',
    accept: 'application/json',
    ...(cookie !== undefined && { cookie }),
  };
  const lines = Object.entries({ ...fields, ...job.headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  const query = job.unique === true ? `?from=${placeholder}` : '';
  const bytes = Buffer.from(`GET ${job.path}${query} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1');
  return { bytes, at: job.unique === true ? bytes.indexOf(placeholder, 0, 'latin1') : -1 };
};

const percentile = (times: readonly number[], share: number): number => {
  const sorted = Float64Array.from(times).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
};

const patienceMs = 10_000;

/** Runs one load to its end: what is under way then is waited for, so that the upstream saw what was answered and nothing else. */
export const runLoad = async (job: Job): Promise<Outcome> => {
  const prepared = (job.cookies.length === 0 ? [undefined] : job.cookies).map((cookie) =>
    prepare(job, cookie),
  );
  const statuses: Record<string, number> = {};
  const [times, lateness]: [number[], number[]] = [[], []];
  let [good, broken, turn, underWay] = [0, 0, 0, 0];
  let ended = false;
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  let stop: () => void = () => undefined;
  const enough = new Promise<void>((resolve) => (stop = resolve));
  // Open loop only: connections nobody needs, and since when requests wait that no connection is free for.
  const [idle, due]: [((since: number) => void)[], number[]] = [[], []];
  const closers = new Set<() => void>();

  const openLane = async (): Promise<void> => {
    const own = prepared[turn++ % prepared.length];
    let since = -1;
    const start = (from: number): void => {
      const request = job.rotate === true ? prepared[turn++ % prepared.length] : own;
      if (request === undefined) return;
      // The bytes are out before the next number is written into them: they fit the socket's buffer, and one answer is awaited at a time.
      if (request.at >= 0)
        request.bytes.write(String(++numbered).padStart(digits, '0'), request.at, 'latin1');
      since = from;
      underWay += 1;
      connection.send(request.bytes);
    };
    const next = (): void => {
      if (job.perSecond === undefined) {
        if (!ended) start(performance.now());
        return;
      }
      const waiting = due.shift();
      if (waiting === undefined) idle.push(start);
      else start(waiting);
    };
    const done = (): void => {
      underWay -= 1;
      since = -1;
      if (ended && underWay === 0 && due.length === 0) finish();
    };
    const connection = await openConnection(job.port, {
      answer(status, length) {
        statuses[status] = (statuses[status] ?? 0) + 1;
        if ((status === '200' && length === job.length) || status === String(job.also)) good += 1;
        else if (status === '200') broken += 1;
        times.push(performance.now() - since);
        if (times.length === job.atMost) stop();
        done();
        next();
      },
      ended() {
        closers.delete(connection.close);
        const free = idle.indexOf(start);
        if (free !== -1) idle.splice(free, 1);
        if (since !== -1) {
          broken += 1;
          done();
        }
        // As any client does, a connection that ended is opened anew.
        if (!ended) openLane().catch(() => (broken += 1));
      },
    });
    closers.add(connection.close);
    next();
  };

  const began = performance.now();
  await Promise.all(Array.from({ length: job.connections }, openLane));
  const { perSecond } = job;
  const pacing =
    perSecond === undefined ? undefined : setInterval(() => pace(1_000 / perSecond), 1);
  let sent = 0;
  // The timer is as coarse as a millisecond, which is not the server's doing; that no connection is free is, and counts from here on.
  const pace = (every: number): void => {
    const now = performance.now();
    for (; began + sent * every <= now; sent += 1) {
      lateness.push(now - (began + sent * every));
      const free = idle.shift();
      if (free === undefined) due.push(now);
      else free(now);
    }
  };
  await Promise.race([enough, new Promise((resolve) => setTimeout(resolve, job.seconds * 1_000))]);
  ended = true;
  clearInterval(pacing);
  const seconds = (performance.now() - began) / 1_000;
  const impatience = setTimeout(finish, patienceMs);
  if (underWay === 0) finish();
  await finished;
  clearTimeout(impatience);
  broken += underWay;
  for (const close of closers) close();
  return {
    seconds,
    good,
    statuses,
    broken,
    p50: percentile(times, 0.5),
    p99: percentile(times, 0.99),
    late: percentile(lateness, 0.99),
  };
};

// As a program of its own (`node bench/proxy/load.ts`) it takes jobs over IPC, one answer each: so its
// processor time can be told from everything else's.
if (import.meta.main) {
  process.on('message', (job: Job) => {
    void runLoad(job).then(
      (outcome) => process.send?.({ outcome }),
      (error: unknown) => process.send?.({ error: String(error) }),
    );
  });
  process.once('disconnect', () => process.exit());
}
