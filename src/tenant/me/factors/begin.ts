import type { Enrolment } from '../../state/enrolments.ts';
import type { MethodSecrets, MethodView } from '../../state/methods.ts';
import type { Call } from '../parts.ts';
import { Problem } from '../problems.ts';

// `maxItems` of the list in Auth0's OpenAPI file.
const MOST = 20;

/** Puts an unconfirmed method into the user's list and starts its enrolment; a full list gives up its oldest unconfirmed method first. */
export function begin(
  { state, user }: Call,
  view: MethodView,
  secrets: MethodSecrets,
  extra: { code?: string; challenge?: string } = {},
): Enrolment {
  const method = { view, secrets };
  if (user.methods.length >= MOST) {
    const unfinished = user.methods.findIndex(
      (one) => 'confirmed' in one.view && !one.view.confirmed,
    );
    if (unfinished < 0)
      throw new Problem('invalid_request', {
        detail: `A user has at most ${MOST} authentication methods.`,
      });
    user.methods.splice(unfinished, 1);
  }
  user.methods.push(method);
  return state.enrolments.start({ userId: user.user_id, method, ...extra });
}

/** Marks the method of an enrolment as confirmed, now, and hands it back. */
export function confirm({ user }: Call, { method }: Enrolment): MethodView {
  if ('confirmed' in method.view) method.view.confirmed = true;
  // Deleted while its code was under way: finishing brings nothing back.
  if (!user.methods.includes(method)) throw new Problem('method_not_found');
  return method.view;
}
