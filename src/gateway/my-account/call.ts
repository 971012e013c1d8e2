import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ResponseHeaders, UpstreamResponse } from '../http/upstream-response.ts';

/** One request to the API, complete: nothing is added to its headers but `Connection`. */
export interface ApiCall {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
  /** The browser's own request and response, where this is the browser's own change. */
  readonly browser?: Browser | undefined;
}

/** A request of a browser, and the response it waits for. */
export interface Browser {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

/** Told status and headers of a response as soon as they are there. */
export type OnHead = (status: number, headers: ResponseHeaders) => void;

/**
 * Sends a call and returns the API's response, its body as far as it is held; rejects with
 * `NoResponse` when none came, with `TruncatedResponse` when it broke off, with Failure
 * `upstream_timeout` when it was too slow. Aborting the signal closes the connection.
 */
export type SendCall = (
  call: ApiCall,
  signal: AbortSignal,
  onHead: OnHead,
) => Promise<UpstreamResponse>;

/** A way to send, and its connections to end. */
export type Transport = SendCall & { close(): void };

/** Where the API is, and deadlines in milliseconds: to connect, and until the last byte of a response. */
export interface TransportOptions {
  readonly upstream: string;
  readonly connectMs: number;
  readonly answerMs: number;
}

/** Bodies up to this many bytes are held and answered in one write; longer ones are streamed. */
export const heldBytes = 262_144;

// Idle connections go before the usual idle time of servers and balancers, so that a change rarely
// meets one that was just closed.
/** How many connections to the API there are at most, and for how many milliseconds an idle one is kept. */
export const connectionLimits = { most: 256, idleMs: 4_000 } as const;
