import type { IncomingHttpHeaders } from 'node:http';
import { Failure } from '../http/errors.ts';
import type { FailureCode } from '../http/errors.ts';
import type { Read } from './response.ts';

/** One request to the API, complete: nothing is added to its headers but `Connection`. */
export interface Call {
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: Buffer | undefined;
}

/** No answer from the API. `sent` is false when no byte of the request can have left; `stale` when a kept connection turned out to be closed. */
export class NoAnswer extends Failure {
  readonly sent: boolean;
  readonly stale: boolean;
  constructor(code: FailureCode, facts: { sent: boolean; stale: boolean; cause?: unknown }) {
    super(code, { cause: facts.cause });
    this.sent = facts.sent;
    this.stale = facts.stale;
  }
}

/** Deadlines in milliseconds: to connect, and until the last byte of the answer. */
export interface ForwardOptions {
  readonly upstream: string;
  readonly connectMs: number;
  readonly answerMs: number;
}

/** Told status and headers of an answer as soon as they are there. */
export type Heard = (status: number, headers: IncomingHttpHeaders) => void;

/**
 * Sends a call and answers the API's response, its body as far as it is held; rejects with `NoAnswer` when none came, with `BrokenAnswer` when it
 * broke off, with its failure when it was too slow. Aborting the signal closes the connection.
 */
export type Send = (call: Call, signal: AbortSignal, heard: Heard) => Promise<Read>;

/** A way to send, and its connections to end. */
export type Engine = Send & { close(): void };

// Idle connections go before the usual idle time of servers and balancers, so that a write rarely meets one that was just closed.
/** How many connections to the API there are at most, and for how many milliseconds an idle one is kept. */
export const pool = { connections: 256, idleMs: 4_000 } as const;
