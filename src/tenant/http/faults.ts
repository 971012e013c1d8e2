import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';

/** A fault for the next `times` requests that match; what `POST /_control/faults` takes. */
export const faultSchema = z.strictObject({
  method: z.string().optional(),
  /** The path begins with this. */
  path: z.string().default('/'),
  times: z.number().int().positive().default(1),
  /** Let this many matching requests pass first. */
  skip: z.number().int().nonnegative().default(0),
  /** Wait before anything else, milliseconds. */
  delayMs: z.number().nonnegative().default(0),
  /** Answer this instead of handling the request. */
  status: z.number().int().min(200).max(599).optional(),
  headers: z.record(z.string(), z.string()).default({}),
  body: z.unknown().optional(),
  /**
   * Break the connection: before anything is done, after it was done but before the answer, or in
   * the middle of the answer.
   */
  reset: z.enum(['before-headers', 'after-handling', 'mid-body']).optional(),
  /** Spread the answer's body over this long, milliseconds. */
  slowBodyMs: z.number().nonnegative().optional(),
});

/** A fault as it holds. */
type Fault = z.infer<typeof faultSchema>;

/** The faults of one tenant. */
export interface Faults {
  add(...faults: z.input<typeof faultSchema>[]): void;
  list(): Fault[];
  clear(): void;
  /** Does what the first matching fault says; true when the request needs no further handling. */
  strike(request: IncomingMessage, response: ServerResponse): Promise<boolean>;
}

/** Makes an empty list of faults. */
export function createFaults(): Faults {
  let faults: Fault[] = [];
  const next = (request: IncomingMessage): Fault | undefined => {
    for (const fault of faults) {
      if (fault.method !== undefined && fault.method !== request.method) continue;
      if (!(request.url ?? '').startsWith(fault.path)) continue;
      if (fault.skip > 0) {
        fault.skip -= 1;
        continue;
      }
      fault.times -= 1;
      if (fault.times <= 0) faults = faults.filter((other) => other !== fault);
      return { ...fault };
    }
    return undefined;
  };
  return {
    add(...given) {
      faults.push(...given.map((fault) => faultSchema.parse(fault)));
    },
    list: () => [...faults],
    clear() {
      faults = [];
    },
    async strike(request, response) {
      const fault = next(request);
      if (fault === undefined) return false;
      if (fault.delayMs > 0) await wait(fault.delayMs);
      if (fault.reset === 'before-headers') {
        request.socket.resetAndDestroy();
        return true;
      }
      if (fault.reset === 'after-handling') breakAtAnswer(request, response);
      if (fault.reset === 'mid-body') breakInBody(request, response);
      if (fault.slowBodyMs !== undefined) slowDown(response, fault.slowBodyMs);
      if (fault.status === undefined) return false;
      const text =
        fault.body === undefined
          ? ''
          : typeof fault.body === 'string'
            ? fault.body
            : JSON.stringify(fault.body);
      const type = typeof fault.body === 'object' ? { 'content-type': 'application/json' } : {};
      response.writeHead(fault.status, {
        ...type,
        'content-length': Buffer.byteLength(text),
        ...fault.headers,
      });
      response.end(text);
      return true;
    },
  };
}

const bytes = (chunk: unknown): Buffer =>
  chunk instanceof Uint8Array
    ? Buffer.from(chunk)
    : Buffer.from(typeof chunk === 'string' ? chunk : '');

/** The work is done, the answer never leaves. */
function breakAtAnswer(request: IncomingMessage, response: ServerResponse): void {
  const cut = (): ServerResponse => {
    request.socket.resetAndDestroy();
    return response;
  };
  Object.assign(response, { end: cut, write: () => (cut(), false) });
}

/** Half of the answer leaves, then the connection breaks. */
function breakInBody(request: IncomingMessage, response: ServerResponse): void {
  const write = response.write.bind(response);
  response.end = (chunk?: unknown) => {
    const body = bytes(chunk);
    if (!response.headersSent && !response.hasHeader('content-length'))
      response.setHeader('content-length', body.length + 1000);
    write(body.subarray(0, Math.max(1, Math.floor(body.length / 2))), () => {
      setTimeout(() => request.socket.resetAndDestroy(), 20);
    });
    return response;
  };
}

/** The answer leaves in ten pieces. */
function slowDown(response: ServerResponse, milliseconds: number): void {
  const write = response.write.bind(response);
  const end = response.end.bind(response);
  response.end = (chunk?: unknown) => {
    const body = bytes(chunk);
    const size = Math.max(1, Math.ceil(body.length / 10));
    void (async () => {
      for (let at = 0; at < body.length && !response.destroyed; at += size) {
        write(body.subarray(at, at + size));
        await wait(milliseconds / 10);
      }
      end();
    })();
    return response;
  };
}
