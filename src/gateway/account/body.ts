import type { IncomingMessage } from 'node:http';
import { Failure } from '../http/errors.ts';
import type { Operation } from '../my-account/operations.ts';

/** How large a body may be, in bytes, and how long it may take to arrive, in milliseconds. */
export interface BodyLimits {
  readonly bytes: number;
  readonly ms: number;
}

const json = /^ *application\/json *(?:; *charset="?utf-8"? *)?$/i;
// A client that sets the header twice sends one line, its types separated by a comma: taken when
// all of them say the same (RFC 9110 section 5.3).
const isJson = (type: string): boolean => type.split(',').every((each) => json.test(each));
// The rest of a refused body is not worth reading: the connection ends after the answer.
const hangUp = { Connection: 'close' };

/**
 * Checks the head of a request against its operation: no body on GET and DELETE (`invalid_request`), JSON on the others
 * (`unsupported_media_type`), no more than the limit announced (`body_too_large`).
 */
export function checkBodyHead(
  req: IncomingMessage,
  operation: Operation,
  limits: BodyLimits,
): void {
  const { headers } = req;
  const announced = headers['content-length'];
  if (operation.method === 'GET' || operation.method === 'DELETE') {
    if (
      headers['transfer-encoding'] === undefined &&
      (announced === undefined || announced === '0')
    )
      return;
    throw new Failure('invalid_request', {
      detail: 'This operation takes no body.',
      headers: hangUp,
    });
  }
  if (announced !== undefined && Number(announced) > limits.bytes) throw tooLarge(limits);
  const encoding = headers['content-encoding'];
  if (
    !isJson(headers['content-type'] ?? '') ||
    (encoding !== undefined && encoding !== 'identity')
  ) {
    throw new Failure('unsupported_media_type', {
      detail: 'Send application/json in UTF-8, not compressed.',
      headers: hangUp,
    });
  }
}

const tooLarge = (limits: BodyLimits): Failure =>
  new Failure('body_too_large', { detail: `At most ${limits.bytes} bytes.`, headers: hangUp });

/**
 * Reads the whole body as the bytes received, counted against the limit; `body_timeout` when it does not arrive in time. Nothing is sent to the
 * API before the body is whole: a slow or broken upload holds neither a place in the budget nor a connection.
 */
export function readBody(req: IncomingMessage, limits: BodyLimits): Promise<Buffer> {
  // The server makes no stream for a request that announces no body.
  if (req.readableEnded) return Promise.resolve(Buffer.alloc(0));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const timer = setTimeout(() => {
      finish(new Failure('body_timeout', { headers: hangUp }));
    }, limits.ms);
    const finish = (error?: Error): void => {
      clearTimeout(timer);
      req.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
      if (error === undefined) {
        resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks));
        return;
      }
      req.pause();
      reject(error);
    };
    const onData = (chunk: Buffer): void => {
      length += chunk.length;
      if (length > limits.bytes) finish(tooLarge(limits));
      else chunks.push(chunk);
    };
    const onEnd = (): void => {
      finish();
    };
    const onClose = (): void => {
      finish(new Failure('invalid_request', { detail: 'The body broke off.' }));
    };
    req.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  });
}
