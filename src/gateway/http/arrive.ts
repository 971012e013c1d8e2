import type { RequestHandler } from 'express';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { createAccessLog } from './access-log.ts';
import { createRequestId, type TrustsProxy } from './request-id.ts';
import { traced } from './trace.ts';
import { wellFormed } from './well-formed.ts';

const inTurn =
  (...steps: readonly RequestHandler[]): RequestHandler =>
  (req, res, next) => {
    let at = 0;
    const go = (error?: unknown): void => {
      const step = steps[at++];
      if (error !== undefined || step === undefined) next(error);
      else void step(req, res, go);
    };
    go();
  };

/** What every request of the gateway's meets first, as one handler: its id, its trace, whoever logs and counts it, and whether it can be read at all. */
export const createArrive = (parts: {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly trusts: TrustsProxy;
}): RequestHandler =>
  inTurn(createRequestId(parts.trusts), traced, createAccessLog(parts), wellFormed);
