import { settleWithin, type Connection } from './connection.ts';

/** A listener's place on a channel: `ready` resolves, never rejects, once the server sends messages or did not answer in time. */
export interface ChannelSubscription {
  readonly ready: Promise<void>;
  unsubscribe(): void;
}

/** What is published on channels, over a connection of its own that is opened with the first listener and restored after losses. */
export interface Subscriber {
  /** Calls the listener for every message on the channel until `unsubscribe`; takes its place at once. */
  add(channel: string, listener: (message: string) => void): ChannelSubscription;
  close(): void;
}

/**
 * Makes one; subscriptions asked for while the connection is down are made when it comes. `failed` is told what a
 * listener threw, which harms neither the other listeners nor the connection.
 */
export function createSubscriber(
  connect: () => Connection,
  deadlineMs: number,
  failed: (error: unknown) => void,
): Subscriber {
  const listeners = new Map<string, Set<(message: string) => void>>();
  let connection: Connection | undefined;

  const opened = (): Connection => {
    const made = connect();
    made.on('message', (from: string, message: string) => {
      for (const listener of [...(listeners.get(from) ?? [])]) {
        try {
          listener(message);
        } catch (error) {
          failed(error);
        }
      }
    });
    made.on('error', () => undefined);
    made.on('ready', () => {
      if (listeners.size > 0) made.subscribe(...listeners.keys()).catch(() => undefined);
    });
    return made;
  };

  return {
    add(channel, listener) {
      const known = listeners.get(channel);
      const set = known ?? new Set();
      set.add(listener);
      listeners.set(channel, set);
      connection ??= opened();
      const asked = !known && connection.status === 'ready';
      return {
        ready: asked
          ? settleWithin(connection.subscribe(channel), deadlineMs).then(
              () => undefined,
              () => undefined,
            )
          : Promise.resolve(),
        unsubscribe() {
          set.delete(listener);
          if (set.size > 0 || listeners.get(channel) !== set) return;
          listeners.delete(channel);
          if (connection?.status === 'ready')
            connection.unsubscribe(channel).catch(() => undefined);
        },
      };
    },
    close() {
      connection?.disconnect();
    },
  };
}
