import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';

/**
 * The last net under a process of its own: an exception or rejection that nothing caught is logged and counted, and the
 * process goes on. Resolves at the first one, for the caller to drain and exit: what such a fault left behind is unknown.
 * For the command line only; a gateway mounted in another application leaves that process to its owner.
 */
export const catchUnforeseen = (parts: {
  readonly log: Log;
  readonly metrics: Metrics;
}): Promise<'unforeseen'> =>
  new Promise((resolve) => {
    // Node hands rejections that nobody handles to this event as well, with their name as the origin.
    process.on('uncaughtException', (err, origin) => {
      parts.metrics.unforeseen.inc({ origin });
      parts.log.error(
        { event: 'unforeseen', kind: origin, err },
        'nothing caught this: it is a bug',
      );
      resolve('unforeseen');
    });
  });
