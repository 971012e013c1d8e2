import { z } from 'zod';
import { Failure } from '../http/errors.ts';
import type { Log } from '../http/log.ts';
import type { Metrics } from '../http/metrics.ts';
import type { Redis } from '../redis/client.ts';

// Whoever can write to Redis can publish: a message is believed in this form only.
const eventSchema = z.object({
  type: z.enum(['ended', 'expiring', 'step_up_needed', 'quota_back', 'method_changed']),
  sessions: z
    .array(z.string().regex(/^[\w-]{1,64}$/))
    .max(1_000)
    .optional(),
  seconds: z.int().min(0).max(31_536_000).optional(),
});

/**
 * What a page may be told of its session without asking; `sessions` narrows it to some of the
 * user's, by key.
 */
export type SessionEvent = Readonly<z.infer<typeof eventSchema>>;

/**
 * A listener's place: `ready` resolves (never rejects) when events arrive or the store did not
 * answer in time.
 */
export interface Subscription {
  readonly ready: Promise<void>;
  unsubscribe(): void;
}

/** Carries events to the open pages of a user, on whichever gateway they are connected. */
export interface Events {
  /** Best effort: a page that misses an event learns of it at its next request. Never throws. */
  publish(user: string, event: SessionEvent): void;
  /**
   * Calls the listener for every event of a user until `unsubscribe`. Takes its place at once and
   * throws Failure `rate_limited` beyond twenty of one user.
   */
  subscribe(user: string, listener: (event: SessionEvent) => void): Subscription;
}

const perUser = 20;
const longestMessage = 65_536;

const readEvent = (message: string): SessionEvent | undefined => {
  if (message.length > longestMessage) return undefined;
  try {
    return eventSchema.safeParse(JSON.parse(message)).data;
  } catch {
    return undefined;
  }
};

interface Channel {
  readonly listeners: Set<(event: SessionEvent) => void>;
  readonly ready: Promise<void>;
  close(): void;
}

/**
 * Makes the channels: over Redis when several gateways share it, in this process otherwise. A
 * message that is no event is counted; what a listener throws is logged.
 */
export const createEvents = (redis?: Redis, report?: { log: Log; metrics: Metrics }): Events => {
  const channels = new Map<string, Channel>();

  const deliver = (user: string, event: SessionEvent): void => {
    for (const listener of [...(channels.get(user)?.listeners ?? [])]) {
      try {
        listener(event);
      } catch (error) {
        // One page's trouble is not the other pages', nor the publisher's.
        report?.log.error({ event: 'listener_failed', err: error }, 'an event listener failed');
      }
    }
  };

  const open = (user: string): Channel => {
    const subscription = redis?.subscribe(`events:${user}`, (message) => {
      const event = readEvent(message);
      if (event === undefined) report?.metrics.malformed.inc({ what: 'event' });
      else deliver(user, event);
    });
    const channel = {
      listeners: new Set<(event: SessionEvent) => void>(),
      ready: subscription?.ready ?? Promise.resolve(),
      close() {
        subscription?.unsubscribe();
        channels.delete(user);
      },
    };
    channels.set(user, channel);
    return channel;
  };

  return {
    publish(user, event) {
      if (redis === undefined) deliver(user, event);
      else redis.publish(`events:${user}`, JSON.stringify(event)).catch(() => undefined);
    },
    subscribe(user, listener) {
      const channel = channels.get(user) ?? open(user);
      if (channel.listeners.size >= perUser)
        throw new Failure('rate_limited', { headers: { 'Retry-After': '30' } });
      channel.listeners.add(listener);
      return {
        ready: channel.ready,
        unsubscribe() {
          if (channel.listeners.delete(listener) && channel.listeners.size === 0) channel.close();
        },
      };
    },
  };
};
