import { randomBytes } from 'node:crypto';
import type { Clock } from './clock.ts';
import type { MethodRecord } from './methods.ts';

/** One enrolment under way, between `POST /authentication-methods` and its `/verify`. */
export interface Enrolment {
  /** Opaque to the client, good until `expiresAt`. */
  authSession: string;
  userId: string;
  /**
   * What becomes the user's method once verified (for a password: replaces the old one). Its id is
   * the one the client must call.
   */
  method: MethodRecord;
  /** WebAuthn challenge, base64url. */
  challenge?: string;
  /** The code that went out by e-mail or text message; read it with GET /_control/messages. */
  code?: string;
  /** push-notification: has the user pressed yes? Set by POST /_control/push. */
  approved?: boolean;
  /** Wrong codes so far. */
  attempts: number;
  /** Milliseconds of tenant time. */
  expiresAt: number;
}

/** The enrolments of one tenant. */
export interface Enrolments {
  start(enrolment: Omit<Enrolment, 'authSession' | 'attempts' | 'expiresAt'>): Enrolment;
  find(authSession: string): Enrolment | undefined;
  end(authSession: string): void;
  all(): Iterable<Enrolment>;
  clear(): void;
}

/** Makes an empty list of enrolments that forgets each after `lifetimeSeconds` of tenant time. */
export function createEnrolments(clock: Clock, lifetimeSeconds: () => number): Enrolments {
  const bySession = new Map<string, Enrolment>();
  return {
    start(wanted) {
      for (const [key, old] of bySession) if (old.expiresAt <= clock.now()) bySession.delete(key);
      const authSession = randomBytes(24).toString('base64url');
      const enrolment = {
        ...wanted,
        authSession,
        attempts: 0,
        expiresAt: clock.now() + lifetimeSeconds() * 1000,
      };
      bySession.set(authSession, enrolment);
      return enrolment;
    },
    find(authSession) {
      const found = bySession.get(authSession);
      return found !== undefined && found.expiresAt > clock.now() ? found : undefined;
    },
    end: (authSession) => void bySession.delete(authSession),
    all: () => bySession.values(),
    clear: () => {
      bySession.clear();
    },
  };
}
