import type { Request, RequestHandler, Response } from 'express';
import { Failure } from '../http/errors.ts';
import type { Events, SessionEvent } from './events.ts';
import type { Session, Sessions } from './sessions.ts';

/** The open event streams of this gateway. */
export interface EventStreams {
  /**
   * `GET /auth/events`: server-sent events of this session; a stream ends with its session and
   * never extends it. Throws Failure `too_many_streams` when this gateway has no room,
   * `shutting_down` once it stops.
   */
  readonly stream: RequestHandler;
  /** Ends all streams and opens no more; their pages reconnect, to another gateway. */
  close(): void;
}

const beatMs = 15_000;
const expiringMs = 120_000;
const atMost = 20_000;
// A page that does not read is cut off: it reconnects, and what it missed it learns by asking.
const unreadBytes = 65_536;

/**
 * Makes the streams. Every 15 seconds each looks at its session, so that one ended by its own clock
 * is noticed as well.
 */
export const createEventStreams = (parts: { events: Events; sessions: Sessions }): EventStreams => {
  const { events, sessions } = parts;
  const streams = new Set<Response>();
  let closed = false;

  const begin = async (session: Session, req: Request, res: Response): Promise<void> => {
    const write = (text: string): void => {
      if (res.writableEnded || res.destroyed) return;
      if (res.writableLength > unreadBytes) res.destroy();
      else res.write(text);
    };
    const send = ({ sessions: only, ...event }: SessionEvent): void => {
      if (only?.includes(session.key) === false || res.writableEnded) return;
      write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
      if (event.type !== 'ended') return;
      res.end();
      sessions.ended(session);
    };
    let warned = false;
    const look = async (): Promise<void> => {
      const alive = await sessions.renew(session);
      const leftMs = Math.min(session.idleLeftMs, session.endsAt - session.now());
      if (!alive || leftMs <= 0) send({ type: 'ended' });
      else if (leftMs <= expiringMs && !warned)
        send({ type: 'expiring', seconds: Math.floor(leftMs / 1000) });
      else write(': still here\n\n');
      warned = leftMs <= expiringMs;
    };

    // Everything that is taken is given back from here on, before anything is waited for: a browser
    // may leave at any moment.
    const subscription = events.subscribe(session.user, send);
    // The store may be away for the moment: the stream stays, the next beat looks again.
    const beat = setInterval(() => void look().catch(() => undefined), beatMs);
    streams.add(res);
    const release = (): void => {
      clearInterval(beat);
      subscription.unsubscribe();
      streams.delete(res);
      req.socket.off('close', release);
    };
    res.once('close', release).on('error', () => undefined);
    // A pipelined answer that never had its turn is not closed with its connection.
    req.socket.once('close', release);

    res.status(200).set({
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-store',
      'X-Accel-Buffering': 'no',
    });
    await subscription.ready;
    write('retry: 3000\n\n');
  };

  return {
    async stream(req, res) {
      if (req.account === undefined) throw new Failure('login_required');
      // It left while its session was looked up: nothing would ever close what is opened now.
      if (res.closed || req.socket.destroyed) return;
      if (closed) throw new Failure('shutting_down', { headers: { 'Retry-After': '1' } });
      if (streams.size >= atMost)
        throw new Failure('too_many_streams', { headers: { 'Retry-After': '30' } });
      await begin(req.account, req, res);
    },
    close() {
      closed = true;
      for (const res of streams) res.end();
    },
  };
};
