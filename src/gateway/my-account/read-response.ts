import type { Readable } from 'node:stream';
import { Failure } from '../http/errors.ts';
import { TruncatedResponse } from '../http/upstream-response.ts';
import type { ResponseHeaders, UpstreamResponse } from '../http/upstream-response.ts';
import { heldBytes } from './call.ts';

/**
 * Returns a response with its body read up to 256 KiB, and the rest as a stream; rejects with
 * `TruncatedResponse` when it breaks off, with the failure it was ended for when it was too slow.
 */
export const readResponse = (
  status: number,
  headers: ResponseHeaders,
  stream: Readable,
): Promise<UpstreamResponse> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    let why: Error | undefined;
    const done = (bodyStream?: Readable): void => {
      stream.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose);
      // Whoever reads the rest listens as well; an error that comes when nobody does ends only that.
      stream.on('error', () => undefined);
      const [only] = chunks;
      const body = chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
      resolve({ status, headers, body, bodyStream });
    };
    const onData = (chunk: Buffer): void => {
      chunks.push(chunk);
      length += chunk.length;
      if (length <= heldBytes) return;
      stream.pause();
      done(stream);
    };
    const onEnd = (): void => {
      done();
    };
    const onError = (error: Error): void => {
      why = error;
    };
    const onClose = (): void => {
      reject(
        why instanceof Failure
          ? why
          : new TruncatedResponse('the response broke off', { cause: why }),
      );
    };
    stream.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);
  });
