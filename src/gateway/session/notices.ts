import type { Events } from './events.ts';
import { createRecentCache } from './recent-cache.ts';
import type { Session } from './sessions.ts';

/** What other rooms learn of and the open pages of a session or its user should hear; none of it waits or throws. */
export interface Notices {
  /** The user's methods or connected accounts changed. */
  methodChanged(session: Pick<Session, 'user'>): void;
  /** This session was asked to step up; its pages hear of it, and again after ten quiet seconds. */
  stepUpNeeded(session: Pick<Session, 'key' | 'user'>): void;
  /** The user's own limit refused a request for so many milliseconds: the pages hear `quota_back` when they are over. */
  quotaRefused(user: string, forMs: number): void;
  /** Forgets what was still to be said. */
  close(): void;
}

const quietMs = 5_000;
const [sessionsAtMost, usersAtMost] = [10_000, 10_000];
const longestMs = 300_000;

/** Makes them over the events. */
export const createNotices = (events: Events): Notices => {
  const asked = createRecentCache<true>(sessionsAtMost, quietMs);
  const waiting = new Map<string, NodeJS.Timeout>();
  return {
    methodChanged({ user }) {
      events.publish(user, { type: 'method_changed' });
    },
    stepUpNeeded({ user, key }) {
      if (asked.get(key) === true) return;
      asked.set(key, true);
      events.publish(user, { type: 'step_up_needed', sessions: [key] });
    },
    quotaRefused(user, forMs) {
      if (waiting.has(user) || waiting.size >= usersAtMost) return;
      const timer = setTimeout(
        () => {
          waiting.delete(user);
          events.publish(user, { type: 'quota_back' });
        },
        Math.min(forMs, longestMs),
      );
      waiting.set(user, timer.unref());
    },
    close() {
      for (const timer of waiting.values()) clearTimeout(timer);
      waiting.clear();
    },
  };
};
