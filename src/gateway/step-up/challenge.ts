import { Failure } from '../http/errors.ts';
import type { Metrics } from '../http/metrics.ts';
import type { ScopedSession, StepUpScopes } from './scopes.ts';

/** What is asked of the user, and why. */
export interface StepUpDemand<S extends ScopedSession = ScopedSession> {
  readonly session: S;
  readonly scope: readonly string[];
  readonly reason: string;
  /** A path to come back to; known on a navigation only, since pages send no referrer. */
  readonly returnTo?: string;
  readonly maxAge?: number;
}

/**
 * Makes the answer that sends a user to step up: 403 `step_up_required` with `stepUpUrl`, which a
 * navigation follows by itself.
 */
export type Challenge<S extends ScopedSession = ScopedSession> = (
  demand: StepUpDemand<S>,
) => Failure;

// The reasons there are; anything else Auth0 may say is counted as `other`, so that the metric
// stays bounded.
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
  insufficient_scope:
    'This action needs a permission that this sign-in does not have yet. ' +
    'Confirm that it is you, then it goes through.',
  step_up_expired:
    'This action needs a recent second factor. Confirm that it is you, then it goes through.',
};
const otherDetail =
  'Auth0 asks for a fresh confirmation that it is you. Confirm, then the action goes through.';
const notGranted =
  'You confirmed who you are, but Auth0 does not grant this permission. The operator can allow it.';

// A step-up this recent that changed nothing at the API will not change anything the second time.
const loopSeconds = 60;

/**
 * Makes challenges; `maxAgeSeconds` tells the page how long a confirmation will last, `needed` is
 * called with each session that is asked for one. What one step-up did not change is refused, not
 * asked for again.
 */
export const createChallenge = <S extends ScopedSession>(parts: {
  scopes: StepUpScopes;
  metrics: Metrics;
  maxAgeSeconds: number;
  needed?: (session: S) => void;
}): Challenge<S> => {
  const { scopes, metrics, maxAgeSeconds, needed } = parts;
  return ({ session, scope, reason, returnTo, maxAge }) => {
    const asked = scope.join(' ');
    const missing = scope
      .map((each) => scopes.missing(session, each))
      .find((each) => each !== undefined);
    const sinceStepUp = maxAgeSeconds - (scopes.stepUpValidFor(session) ?? 0);
    const loops = missing === undefined && reason.includes('scope') && sinceStepUp < loopSeconds;
    if (loops || scope.some((each) => scopes.declined(session, each))) {
      return new Failure('forbidden', { detail: notGranted, members: { scope: asked } });
    }
    const why = missing ?? reason;
    const known = reasons.has(why) ? why : 'other';
    metrics.stepUps.inc({ reason: known });
    needed?.(session);
    const query = new URLSearchParams();
    if (asked !== '') query.set('scope', asked);
    if (returnTo !== undefined) query.set('returnTo', returnTo);
    return new Failure('step_up_required', {
      detail: details[why] ?? otherDetail,
      members: {
        stepUpUrl: `/auth/step-up?${query.toString()}`,
        scope: asked,
        reason: known,
        maxAge: maxAge ?? maxAgeSeconds,
      },
    });
  };
};
