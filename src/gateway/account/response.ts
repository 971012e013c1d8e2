import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { Failure } from '../http/errors.ts';
import type { Headers } from './parts.ts';

/** Bodies up to this many bytes are answered in one write; larger ones are streamed. */
export const heldBytes = 262_144;
const json = /^application\/(?:json|problem\+json)(?:;|$)/i;

/** The API's answer was cut off, or was not the API's: there is nothing true to tell the browser. */
export class BrokenAnswer extends Error {}

/** What is left of a body; `complete` once its last byte has come. */
export type Rest = Readable & { readonly complete: boolean };

/** An answer as far as it was read: `rest` is set when the body is longer than what is held. */
export interface Read {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
  readonly rest: Rest | undefined;
}

/** Reads an answer's body up to 256 KiB; rejects with `BrokenAnswer` when it breaks off, with its failure when it was too slow. */
export function readAnswer(message: IncomingMessage): Promise<Read> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    let why: Error | undefined;
    const done = (rest?: IncomingMessage): void => {
      message.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose);
      const body = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
      resolve({ status: message.statusCode ?? 0, headers: message.headers, body, rest });
    };
    const onData = (chunk: Buffer): void => {
      chunks.push(chunk);
      length += chunk.length;
      if (length <= heldBytes) return;
      message.pause();
      done(message);
    };
    const onEnd = (): void => {
      if (message.complete) done();
    };
    const onError = (error: Error): void => {
      why = error;
    };
    const onClose = (): void => {
      reject(why instanceof Failure ? why : new BrokenAnswer('the answer broke off', { cause: why }));
    };
    message.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);
  });
}

/** Whether the answer is one the API gives: JSON, or no body at all. An error page of something in between is not. */
export const isJson = (read: Read): boolean =>
  read.body.length === 0 || (typeof read.headers['content-type'] === 'string' && json.test(read.headers['content-type']));

/**
 * The API's `Location` as a path of this gateway: absolute on its own host or relative, under `/me/v1/`; undefined for anything else, which is
 * then not passed on. Bytes after the prefix are kept: Auth0 says the id is to be used as it is.
 */
export function ownLocation(location: string | string[] | undefined, upstream: string, publicPath: string): string | undefined {
  if (typeof location !== 'string') return undefined;
  const path = location.startsWith(`${upstream}/`) ? location.slice(upstream.length) : location;
  return /^\/me\/v1\/[\x21-\x7e]+$/.test(path) ? `${publicPath}/v1${path.slice('/me/v1'.length)}` : undefined;
}

/**
 * The head of an answer as one flat list of names and values: what every answer of a session carries, and the allow-listed headers of the API's, its
 * content type and its location, rewritten. One list and one write: Node takes it as it is, where headers set one by one are checked and sorted in twice.
 */
export function headOf(
  read: Pick<Read, 'headers'>,
  own: { upstream: string; publicPath: string; standard: readonly string[]; extra: Readonly<Record<string, string>> },
): string[] {
  const head = own.standard.concat('Cache-Control', 'no-store', 'Vary', 'Cookie, Origin, Sec-Fetch-Site');
  for (const name in own.extra) head.push(name, own.extra[name] ?? '');
  const type = read.headers['content-type'];
  if (typeof type === 'string') head.push('Content-Type', type);
  const location = ownLocation(read.headers['location'], own.upstream, own.publicPath);
  if (location !== undefined) head.push('Location', location);
  return head;
}

/** Sends head and body: in one write when the body is whole, else streamed; one that breaks off breaks the browser's connection, never hangs it. */
export function send(res: ServerResponse, read: Read, head: string[]): void {
  const { status, body, rest } = read;
  if (rest === undefined) {
    // A 204 and a 304 have no body, and a Content-Length of theirs would speak of another one.
    if (status !== 204 && status !== 304) head.push('Content-Length', String(body.length));
    // As text, byte for byte, head and body are one write; as bytes they would be two.
    res.writeHead(status, head).end(body.toString('latin1'), 'latin1');
    return;
  }
  const length = read.headers['content-length'];
  if (typeof length === 'string') head.push('Content-Length', length);
  res.writeHead(status, head).write(body);
  rest.once('close', () => {
    if (!rest.complete) res.destroy();
  });
  rest.once('error', () => {
    res.destroy();
  });
  rest.pipe(res);
}
