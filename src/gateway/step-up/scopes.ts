/** What must be known of a session to judge which scopes it may use. */
export interface ScopedSession {
  readonly record: {
    readonly tokens: readonly { readonly audience: string; readonly scope: readonly string[] }[];
    /** Milliseconds of the clock that `now` reads. */
    readonly steppedUpAt?: number | undefined;
    readonly denied?: readonly string[] | undefined;
  };
  now(): number;
}

/** Why a scope may not be used now: it was never granted, or the step-up it came with is over. */
export type MissingReason = 'insufficient_scope' | 'step_up_expired';

/** Which scopes a session may use without a step-up. */
export interface StepUpScopes {
  /** Returns why a scope may not be used now; undefined when it may. No call is spent. */
  missing(session: ScopedSession, scope: string): MissingReason | undefined;
  /** Whether Auth0 declined this scope at a step-up of this session: asking again would loop. */
  declined(session: ScopedSession, scope: string): boolean;
  /** Returns the seconds that scopes gained by step-up stay usable; undefined without a step-up. */
  stepUpValidFor(session: ScopedSession): number | undefined;
  /** Returns the scopes of the session's token for the My Account API. */
  granted(session: ScopedSession): readonly string[];
  /** Returns those of them that may be used now. */
  usable(session: ScopedSession): readonly string[];
}

/**
 * Makes the judgement: scopes of the login hold as long as the session, scopes gained by step-up
 * for `maxAgeMs` (ASVS 7.5.1). `silentScope` are those that a refresh alone may gain.
 */
export const createStepUpScopes = (options: {
  audience: string;
  loginScope: readonly string[];
  silentScope: readonly string[];
  maxAgeMs: number;
}): StepUpScopes => {
  const { audience, loginScope, silentScope, maxAgeMs } = options;
  const withoutStepUp = new Set([...loginScope, ...silentScope]);
  const granted = ({ record }: ScopedSession): readonly string[] =>
    record.tokens.find((token) => token.audience === audience)?.scope ?? [];
  const leftMs = (session: ScopedSession): number => {
    const { steppedUpAt } = session.record;
    return steppedUpAt === undefined ? 0 : Math.max(0, steppedUpAt + maxAgeMs - session.now());
  };
  return {
    granted,
    usable(session) {
      const held = granted(session);
      const now = leftMs(session) > 0 ? held : held.filter((scope) => withoutStepUp.has(scope));
      // What a refresh may gain counts as there until the refresh says otherwise.
      return [...now, ...silentScope];
    },
    missing(session, scope) {
      if (!granted(session).includes(scope)) return 'insufficient_scope';
      return withoutStepUp.has(scope) || leftMs(session) > 0 ? undefined : 'step_up_expired';
    },
    declined: (session, scope) =>
      session.record.denied?.includes(scope) === true && leftMs(session) > 0,
    stepUpValidFor: (session) =>
      session.record.steppedUpAt === undefined ? undefined : Math.floor(leftMs(session) / 1000),
  };
};
