import type { VerifyBare } from '../bodies.ts';
import type { Call } from '../parts.ts';
import type { Enrolment } from '../../state/enrolments.ts';
import type { MethodView } from '../../state/methods.ts';

/** What starting an enrolment answers: the id for the URL, and the members of the body besides `auth_session`. */
export interface Started {
  readonly id: string;
  readonly enrolment: Enrolment;
  /** Names the id only where Auth0's answer does. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** How one type of authentication method is enrolled; both bodies have passed their schema. */
export interface Factor<Verify extends VerifyBare, Start = object> {
  start(call: Call, body: Start): Started | Promise<Started>;
  /** Makes the method whole and hands it back, or throws `refused_proof`. */
  finish(call: Call, enrolment: Enrolment, body: Verify): MethodView | Promise<MethodView>;
}
