/** What must be known of a session to judge it. */
export interface Standee {
  readonly record: {
    readonly tokens: readonly { readonly audience: string; readonly scope: readonly string[] }[];
    /** Milliseconds of the clock that `now` reads. */
    readonly steppedUpAt?: number | undefined;
    readonly denied?: readonly string[] | undefined;
  };
  now(): number;
}

/** Why an action needs a step-up first: more scope, or a fresher second factor than the session's. */
export type StepUpReason = 'insufficient_scope' | 'step_up_expired';

/** What a session may do as it stands. */
export interface Standing {
  /** Undefined when the scope is there and fresh enough; otherwise why not. No call is spent. */
  lacks(session: Standee, scope: string): StepUpReason | undefined;
  /** Whether Auth0 has already declined to grant this scope at a step-up of this session: asking again would loop. */
  declined(session: Standee, scope: string): boolean;
  /** Seconds for which scopes gained by step-up remain usable; undefined without a step-up. */
  freshFor(session: Standee): number | undefined;
  /** The scopes of the session's token for the My Account API. */
  scopes(session: Standee): readonly string[];
  /** Those of them that may be used now, without a fresh step-up. */
  usable(session: Standee): readonly string[];
}

/** Makes the judgement: scopes of the login hold as long as the session, scopes gained by step-up for maxAgeMs (ASVS 7.5.1). */
export const createStanding = (options: {
  audience: string;
  loginScope: readonly string[];
  silentScope: readonly string[];
  maxAgeMs: number;
}): Standing => {
  const { audience, loginScope, silentScope, maxAgeMs } = options;
  const free = new Set([...loginScope, ...silentScope]);
  const scopes = (session: Standee): readonly string[] => session.record.tokens.find((token) => token.audience === audience)?.scope ?? [];
  const leftMs = (session: Standee): number => {
    const { steppedUpAt } = session.record;
    return steppedUpAt === undefined ? 0 : Math.max(0, steppedUpAt + maxAgeMs - session.now());
  };
  return {
    scopes,
    // What may be gained by a refresh counts as there until the refresh says otherwise.
    usable: (session) => [...(leftMs(session) > 0 ? scopes(session) : scopes(session).filter((scope) => free.has(scope))), ...silentScope],
    lacks(session, scope) {
      if (!scopes(session).includes(scope)) return 'insufficient_scope';
      return free.has(scope) || leftMs(session) > 0 ? undefined : 'step_up_expired';
    },
    declined: (session, scope) => session.record.denied?.includes(scope) === true && leftMs(session) > 0,
    freshFor: (session) => (session.record.steppedUpAt === undefined ? undefined : Math.floor(leftMs(session) / 1000)),
  };
};
