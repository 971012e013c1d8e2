import { createHash } from 'node:crypto';
import { Failure } from '../http/errors.ts';
import type { Evaluate } from './turn.ts';

/**
 * Runs Lua even when Redis has reached its `maxmemory`, which is right for what takes no more room than it had or gives it back soon. A Redis
 * older than 7.0 does not know such scripts; there it runs without that right, and its writes are refused while memory is full.
 */
export function evenWhenFull(evaluate: Evaluate): Evaluate {
  let known = true;
  let last = { lua: '', flagged: '', digest: '' };
  return async (lua, digest, keys, args) => {
    if (!known) return evaluate(lua, digest, keys, args);
    if (last.lua !== lua) {
      const flagged = `#!lua flags=allow-oom\n${lua}`;
      last = { lua, flagged, digest: createHash('sha1').update(flagged).digest('hex') };
    }
    try {
      return await evaluate(last.flagged, last.digest, keys, args);
    } catch (error) {
      if (!(error instanceof Error && /compiling script.*'#'/.test(error.message))) throw error;
      known = false;
      return evaluate(lua, digest, keys, args);
    }
  };
}

/** Whether a failure says that Redis had no memory for what was to be written. */
export const meansFull = (failure: unknown): boolean =>
  failure instanceof Failure && failure.cause instanceof Error && failure.cause.message.startsWith('OOM');
