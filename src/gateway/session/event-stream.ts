import type { RequestHandler, Response } from 'express';
import { Failure } from '../http/errors.ts';
import type { Events, SessionEvent } from './events.ts';
import type { Session, Sessions } from './sessions.ts';

/** The open event streams of this gateway. */
export interface EventStreams {
  /** `GET /auth/events`: server-sent events of this session; a stream ends with its session and never extends it. */
  readonly stream: RequestHandler;
  /** Ends all streams; their pages reconnect, to another gateway when this one stops. */
  close(): void;
}

const beatMs = 15_000;
const expiringMs = 120_000;
const atMost = 20_000;

/** Makes the streams. Every 15 seconds each looks at its session, so that one ended by its own clock is noticed as well. */
export const createEventStreams = (parts: { events: Events; sessions: Sessions }): EventStreams => {
  const { events, sessions } = parts;
  const streams = new Set<Response>();

  const begin = async (session: Session, res: Response): Promise<void> => {
    const send = ({ sessions: only, ...told }: SessionEvent): void => {
      if (only?.includes(session.key) === false) return;
      if (told.type === 'ended') sessions.ended(session);
      res.write(`event: ${told.type}\ndata: ${JSON.stringify(told)}\n\n`);
      if (told.type === 'ended') res.end();
    };
    const silence = await events.listen(session.user, send);
    let warned = false;
    const look = async (): Promise<void> => {
      const alive = await sessions.renew(session);
      const leftMs = Math.min(session.idleLeftMs, session.endsAt - session.now());
      if (!alive || leftMs <= 0) send({ type: 'ended' });
      else if (leftMs <= expiringMs && !warned) send({ type: 'expiring', seconds: Math.floor(leftMs / 1000) });
      else res.write(': still here\n\n');
      warned = leftMs <= expiringMs;
    };
    // The store may be away for the moment: the stream stays, the next beat looks again.
    const beat = setInterval(() => void look().catch(() => undefined), beatMs);
    streams.add(res);
    res.once('close', () => {
      clearInterval(beat);
      silence();
      streams.delete(res);
    });
  };

  return {
    async stream(req, res) {
      if (req.account === undefined) throw new Failure('login_required');
      if (streams.size >= atMost) throw new Failure('shutting_down', { headers: { 'Retry-After': '30' } });
      await begin(req.account, res);
      res.status(200).set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' });
      res.write('retry: 3000\n\n');
    },
    close() {
      for (const res of streams) res.end();
    },
  };
};
