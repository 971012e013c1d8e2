import { Failure } from '../http/errors.ts';
import type { Metrics } from '../http/metrics.ts';
import type { Standee, Standing } from './standing.ts';

/** What is asked of the user, and why. */
export interface Demand<S extends Standee = Standee> {
  readonly session: S;
  readonly scope: readonly string[];
  readonly reason: string;
  /** A path to come back to; known on a navigation only, since pages send no referrer. */
  readonly returnTo?: string;
  readonly maxAge?: number;
}

/** Makes the answer that sends a user to step up: 403 `step_up_required` with `stepUpUrl`, which a navigation follows by itself. */
export type Challenge<S extends Standee = Standee> = (demand: Demand<S>) => Failure;

// The reasons there are; anything else Auth0 may say is counted as one, so that the metric stays bounded.
const reasons = new Set([
  'insufficient_scope',
  'step_up_expired',
  'mfa_required',
  'unmet_authentication_requirements',
  'interaction_required',
  'insufficient_user_authentication',
  'login_required',
  'consent_required',
]);

const details: Readonly<Record<string, string>> = {
  insufficient_scope: 'This action needs a permission that this sign-in does not have yet. Confirm that it is you, then it goes through.',
  step_up_expired: 'This action needs a recent second factor. Confirm that it is you, then it goes through.',
};

// A step-up this recent that changed nothing at the API will not change anything the second time.
const loopSeconds = 60;

/**
 * Makes challenges; `maxAgeSeconds` tells the page how long a confirmation will last, `needed` is called with each session that is asked for one. What
 * one step-up could not mend is refused, not asked for again.
 */
export const createChallenge = <S extends Standee>(parts: {
  standing: Standing;
  metrics: Metrics;
  maxAgeSeconds: number;
  needed?: (session: S) => void;
}): Challenge<S> => {
  const { standing, metrics, maxAgeSeconds, needed } = parts;
  return ({ session, scope, reason, returnTo, maxAge }) => {
    const lacks = scope.map((each) => standing.lacks(session, each)).find((each) => each !== undefined);
    const sinceStepUp = maxAgeSeconds - (standing.freshFor(session) ?? 0);
    const loops = lacks === undefined && reason.includes('scope') && sinceStepUp < loopSeconds;
    if (loops || scope.some((each) => standing.declined(session, each))) {
      return new Failure('forbidden', {
        detail: 'You confirmed who you are, but Auth0 does not grant this permission. The operator can allow it.',
        members: { scope: scope.join(' ') },
      });
    }
    const why = lacks ?? reason;
    const known = reasons.has(why) ? why : 'other';
    metrics.stepUps.inc({ reason: known });
    needed?.(session);
    const query = new URLSearchParams({ ...(scope.length > 0 && { scope: scope.join(' ') }), ...(returnTo !== undefined && { returnTo }) });
    return new Failure('step_up_required', {
      detail: details[why] ?? 'Auth0 asks for a fresh confirmation that it is you. Confirm, then the action goes through.',
      members: { stepUpUrl: `/auth/step-up?${query.toString()}`, scope: scope.join(' '), reason: known, maxAge: maxAge ?? maxAgeSeconds },
    });
  };
};
