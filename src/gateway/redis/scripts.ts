import { skipped, type Argument, type Batch, type Calls, type KeyType } from './batch.ts';

/**
 * Runs one Lua script, which returns a function of KEYS and ARGV; the keys must share one hash tag.
 * In a pipeline it rejects with `Skipped` where a script before it returned a true second value.
 */
export type Script = (
  keys: readonly string[],
  args: readonly Argument[],
  pipeline?: ScriptPipeline,
) => Promise<unknown>;

/** How a script is run. */
export interface ScriptOptions {
  /** The strings of its replies: text unless said otherwise. */
  readonly replies?: 'text' | 'bytes';
  /** Whether it runs when the server's memory is full; false for one whose keys take more room than they had, and keep it. */
  readonly allowOom?: boolean;
  /** What it keeps under each of its keys: a key of another type holds junk, and is deleted. */
  readonly keys?: readonly KeyType[];
  /** What stands before each of its keys, in place of the client's own prefix. */
  readonly keyPrefix?: string;
}

/**
 * Calls of scripts that go to the server in one trip (on a Cluster one after the other), each only
 * when the one before it did not stop.
 */
export interface ScriptPipeline {
  readonly calls: Calls;
  /** Sends what was called with this pipeline. */
  send(): void;
}

/** A call of a pipeline was not made, since one before it made it needless. */
export class Skipped extends Error {}
// One for all: nobody reads where it came from.
const notNeeded = new Skipped('a call before it made it needless');

/** How scripts are taken in and called, for `Redis`. */
export interface Scripts {
  script(lua: string, options?: ScriptOptions): Script;
  pipeline(): ScriptPipeline;
}

/** Returns the scripts of a connection, sent in its two batches; a call rejects with what `storeError` makes of its failure. */
export function createScripts(parts: {
  readonly evenWhenFull: Batch;
  readonly notWhenFull: Batch;
  readonly keyPrefix: string;
  readonly storeError: (error: unknown) => Error;
}): Scripts {
  const { evenWhenFull, notWhenFull, storeError } = parts;
  return {
    script(lua, options = {}) {
      const { replies = 'text', allowOom = true, keyPrefix = parts.keyPrefix, keys = [] } = options;
      const batch = allowOom ? evenWhenFull : notWhenFull;
      const script = batch.add({ lua, keys });
      const read = replies === 'bytes' ? (reply: unknown) => reply : textOf;
      return (names, args, pipeline) =>
        new Promise((resolve, reject) => {
          const done = (reply: unknown): void => {
            if (reply === skipped) reject(notNeeded);
            else resolve(read(reply));
          };
          const call = {
            script,
            keys: names.map((name) => keyPrefix + name),
            args,
            done,
            failed: (error: unknown) => reject(storeError(error)),
          };
          if (pipeline === undefined) batch.send([call]);
          else if (allowOom) pipeline.calls.push(call);
          else throw new TypeError('a script that may not run on a full Redis goes in no pipeline');
        });
    },
    pipeline() {
      const calls: Calls = [];
      return { calls, send: () => evenWhenFull.send(calls) };
    },
  };
}

const textOf = (reply: unknown): unknown => {
  if (reply instanceof Uint8Array) return reply.toString();
  return Array.isArray(reply) ? reply.map(textOf) : reply;
};
