import { Failure } from '../http/errors.ts';
import type { Redis, Script } from './client.ts';

const flags = '#!lua flags=allow-oom\n';

/**
 * A script that runs even when Redis has reached its `maxmemory`, for what takes no more room than it had or gives it back soon. A Redis older
 * than 7.0 does not know such scripts; there it runs as any other, and is refused while memory is full.
 */
export function scriptWhenFull(redis: Redis, lua: string, replies?: 'text' | 'bytes'): Script {
  const flagged = redis.script(flags + lua, replies);
  const plain = redis.script(lua, replies);
  let run = flagged;
  return async (keys, args) => {
    try {
      return await run(keys, args);
    } catch (error) {
      if (run === plain || !(error instanceof Error && /compiling script.*'#'/.test(error.message))) throw error;
      run = plain;
      return plain(keys, args);
    }
  };
}

/** Whether a failure says that Redis had no memory for what was to be written. */
export const meansFull = (failure: unknown): boolean =>
  failure instanceof Failure && failure.cause instanceof Error && failure.cause.message.startsWith('OOM');
