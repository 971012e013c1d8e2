import { createAccountEvents, type AccountEvents } from './account-events.ts';
import { createBuckets, type Buckets } from './buckets.ts';
import { createClock, type Clock } from './clock.ts';
import { createEnrolments, type Enrolments } from './enrolments.ts';
import { createMessages, type Messages } from './messages.ts';
import { createRequestLog, type RequestLog } from './request-log.ts';
import { mergePatch, parseSettings, type Settings } from './settings.ts';
import { createUsers, type Users } from './users.ts';

/** All that one tenant knows; nothing of it is shared with another tenant of the same process. */
export interface State {
  readonly clock: Clock;
  readonly users: Users;
  readonly enrolments: Enrolments;
  readonly messages: Messages;
  readonly requests: RequestLog;
  readonly buckets: Buckets;
  /** Told when something happens to a user that may end their sessions. */
  readonly accountEvents: AccountEvents;
  /** The tenant's public origin, `http://127.0.0.1:4000`, no slash at the end. */
  readonly origin: string;
  /** The settings as they hold now; read it anew each time, a PATCH replaces it. */
  settings(): Settings;
  /**
   * Merges a patch (RFC 7396), checks the whole, then holds; throws SettingsError and changes
   * nothing when the result is wrong.
   */
  configure(patch: unknown): Settings;
  /**
   * Forgets users, enrolments, messages, requests, levels of limits, and goes back to the settings
   * of the start.
   */
  reset(): void;
}

/** Makes the state of a tenant reachable at `origin` from checked settings. */
export function createState(origin: string, initial: Settings): State {
  let settings = initial;
  const clock = createClock(() => settings.clockOffsetSeconds);
  const users = createUsers();
  const enrolments = createEnrolments(clock, () => settings.switches.authSessionSeconds);
  const messages = createMessages(clock);
  const requests = createRequestLog(clock);
  const buckets = createBuckets(clock);
  const accountEvents = createAccountEvents();
  return {
    clock,
    users,
    enrolments,
    messages,
    requests,
    buckets,
    accountEvents,
    origin,
    settings: () => settings,
    configure(patch) {
      settings = parseSettings(mergePatch(settings, patch));
      return settings;
    },
    reset() {
      settings = initial;
      for (const part of [users, enrolments, messages, requests, buckets]) part.clear();
    },
  };
}
