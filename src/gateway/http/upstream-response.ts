import type { Readable } from 'node:stream';
import { Failure } from './errors.ts';
import type { FailureCode } from './errors.ts';

/** Headers by lower-case name. */
export type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** The rest of a body that is longer than what is held; it has ended once its last byte was read. */
export type BodyStream = Readable;

/** An upstream's response as far as it was read: `bodyStream` is set when the body is longer than what is held. */
export interface UpstreamResponse {
  readonly status: number;
  readonly headers: ResponseHeaders;
  readonly body: Buffer;
  readonly bodyStream: BodyStream | undefined;
}

/**
 * No response came. `sent` is false when no byte of the request can have left; `stale` when a kept
 * connection turned out to be closed.
 */
export class NoResponse extends Failure {
  readonly sent: boolean;
  readonly stale: boolean;
  constructor(code: FailureCode, facts: { sent: boolean; stale: boolean; cause?: unknown }) {
    super(code, { cause: facts.cause });
    this.sent = facts.sent;
    this.stale = facts.stale;
  }
}

/** A response broke off in its body: there is nothing true to tell the browser. */
export class TruncatedResponse extends Error {}
