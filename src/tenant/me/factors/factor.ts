import type { StartIdentity, VerifyBare } from '../bodies.ts';
import type { Call } from '../parts.ts';
import { Problem } from '../problems.ts';
import type { Enrolment } from '../../state/enrolments.ts';
import type { MethodSecrets, MethodView } from '../../state/methods.ts';

/**
 * What starting an enrolment answers: the id for the URL, and the members of the body besides
 * `auth_session`.
 */
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

// `maxItems` of the list in Auth0's OpenAPI file.
const MOST = 20;

/**
 * Puts an unconfirmed method into the user's list and starts its enrolment; a full list gives up
 * its oldest unconfirmed method first.
 */
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

/** The tenant's name for people: the first label of its host, as Auth0 names a tenant. */
export function tenantName(origin: string): string {
  const { hostname } = new URL(origin);
  return /^[\d.[\]:]+$/.test(hostname) ? 'local-tenant' : (hostname.split('.')[0] ?? hostname);
}

/**
 * What the QR code of an authenticator says: tenant and user id as label, as in the samples of
 * Auth0's OpenAPI file.
 */
export function barcodeUri({ origin, user }: Call, secret: string): string {
  const issuer = encodeURIComponent(tenantName(origin));
  return `otpauth://totp/${issuer}:${encodeURIComponent(user.user_id)}?secret=${secret}&issuer=${issuer}&algorithm=SHA1&digits=6&period=30`;
}

/**
 * The identity a password or passkey is for: the user's one identity, or a refusal when the body
 * names another.
 */
export function ownIdentity(
  { user }: Call,
  { connection, identity_user_id }: StartIdentity,
): string {
  if (identity_user_id !== undefined && identity_user_id !== user.user_id) {
    throw new Problem('invalid_request', { detail: 'The user has no such identity.' });
  }
  if (connection !== undefined && connection !== user.connection) {
    throw new Problem('invalid_request', {
      detail: 'The user has no identity of this connection.',
    });
  }
  return user.user_id;
}
