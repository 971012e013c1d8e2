import type { Clock } from './clock.ts';

/**
 * A message the tenant pretends to have sent; a test reads its code with `GET /_control/messages`.
 */
export interface Message {
  at: string;
  channel: 'email' | 'sms' | 'voice' | 'push';
  to: string;
  userId: string;
  code: string;
  /** Which request of a user it belongs to: an auth_session, an oob_code or an interaction. */
  reference: string;
}

/** The tenant's outbox: the newest thousand messages. */
export interface Messages {
  send(message: Omit<Message, 'at'>): void;
  list(to?: string): Message[];
  clear(): void;
}

/** Makes an empty outbox. */
export function createMessages(clock: Clock): Messages {
  let sent: Message[] = [];
  return {
    send(message) {
      sent.push({ ...message, at: clock.iso() });
      if (sent.length > 1000) sent = sent.slice(-1000);
    },
    list: (to) =>
      to === undefined
        ? [...sent]
        : sent.filter((message) => message.to === to || message.userId === to),
    clear() {
      sent = [];
    },
  };
}
