import { Failure } from '../http/errors.ts';
import type { Redis } from '../redis/client.ts';

/** What a page may be told of its session without asking; `sessions` narrows it to some of the user's. */
export interface SessionEvent {
  readonly type: 'ended' | 'expiring' | 'step_up_needed' | 'quota_back' | 'method_changed';
  readonly sessions?: readonly string[];
  readonly seconds?: number;
}

/** Tells the open pages of a user, on whichever gateway they hang. */
export interface Events {
  /** Best effort: a page that misses it learns at its next request. */
  tell(user: string, event: SessionEvent): void;
  /** Calls the listener for every event of a user until the answer is called; Failure `rate_limited` beyond twenty listeners of one user. */
  listen(user: string, listener: (event: SessionEvent) => void): Promise<() => void>;
}

const perUser = 20;

/** Makes the channel: over Redis when several gateways share it, in this process otherwise. */
export const createEvents = (redis?: Redis): Events => {
  const listeners = new Map<string, Set<(event: SessionEvent) => void>>();
  return {
    tell(user, event) {
      if (redis !== undefined) redis.publish(`events:${user}`, JSON.stringify(event)).catch(() => undefined);
      else for (const listener of listeners.get(user) ?? []) listener(event);
    },
    async listen(user, listener) {
      const set = listeners.get(user) ?? new Set();
      if (set.size >= perUser) throw new Failure('rate_limited', { headers: { 'Retry-After': '30' } });
      listeners.set(user, set.add(listener));
      const silence = await redis?.subscribe(`events:${user}`, (text) => {
        listener(JSON.parse(text) as SessionEvent);
      });
      return () => {
        silence?.();
        set.delete(listener);
        if (set.size === 0) listeners.delete(user);
      };
    },
  };
};
