import type { Connection } from './connection.ts';
import { within } from './within.ts';

/** What is heard on channels, over a connection of its own that is opened with the first listener and restored after losses. */
export interface Subscriber {
  /** Calls the listener for every message on the channel until the answer is called. */
  add(channel: string, listener: (message: string) => void): Promise<() => void>;
  close(): void;
}

/** Makes one; subscriptions asked for while the connection is down are made when it comes. */
export function createSubscriber(connect: () => Connection, deadlineMs: number): Subscriber {
  const listeners = new Map<string, Set<(message: string) => void>>();
  let connection: Connection | undefined;

  const opened = (): Connection => {
    const made = connect();
    made.on('message', (from: string, message: string) => {
      for (const each of listeners.get(from) ?? []) each(message);
    });
    made.on('error', () => undefined);
    made.on('ready', () => void made.subscribe(...listeners.keys()).catch(() => undefined));
    return made;
  };

  return {
    async add(channel, listener) {
      const known = listeners.get(channel);
      const set = known ?? new Set();
      set.add(listener);
      listeners.set(channel, set);
      connection ??= opened();
      if (!known && connection.status === 'ready') await within(connection.subscribe(channel), deadlineMs).catch(() => undefined);
      return () => {
        set.delete(listener);
        if (set.size > 0) return;
        listeners.delete(channel);
        if (connection?.status === 'ready') void connection.unsubscribe(channel).catch(() => undefined);
      };
    },
    close() {
      connection?.disconnect();
    },
  };
}
