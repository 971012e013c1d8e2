import type { Failure } from '../http/errors.ts';
import { NoAnswer } from './call.ts';
import { isJson } from './response.ts';
import type { Read } from './response.ts';

/** What an answer of the API means for us. */
export type Meaning =
  | { readonly kind: 'pass' }
  /**
   * The token was not accepted, or only a DPoP nonce was missing: nothing was done. `sure` when the answer blames the token: nobody outside Auth0
   * knows whether a wrong code is a 401 as well.
   */
  | { readonly kind: 'refused'; readonly sure: boolean }
  | { readonly kind: 'step_up'; readonly reason: string; readonly type?: string; readonly maxAge?: number }
  | { readonly kind: 'limited'; readonly by: 'user' | 'tenant' }
  | { readonly kind: 'foreign' };

const text = (value: string | string[] | undefined): string => (Array.isArray(value) ? value.join(', ') : (value ?? ''));

/** The problem `type` of an answer's body when it has one, for matching by code: the URI around the code is spelled in two ways. */
function typeOf(body: Buffer): string | undefined {
  try {
    const parsed: unknown = JSON.parse(body.toString());
    return typeof parsed === 'object' && parsed !== null && 'type' in parsed && typeof parsed.type === 'string' ? parsed.type : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Reads an answer of the API. Scope and limits by the stable signals only: `WWW-Authenticate` (RFC 6750 section 3.1, RFC 9470 section 3) or the
 * code `A0E-403-0002` in the body's type; which scope was missing is known from our own table, never taken from the answer.
 */
export function meaningOf(read: Read): Meaning {
  const { status, headers } = read;
  if (status >= 200 && status < 300) return isJson(read) ? { kind: 'pass' } : { kind: 'foreign' };
  if (status === 429) {
    const by = headers['x-auth0-error-kind'] === undefined ? 'user' : 'tenant';
    return { kind: 'limited', by };
  }
  const challenge = text(headers['www-authenticate']);
  if (status === 401 || status === 403) {
    if (/error="?insufficient_user_authentication\b/.test(challenge)) {
      const maxAge = /max_age="?(\d{1,6})\b/.exec(challenge)?.[1];
      return { kind: 'step_up', reason: 'insufficient_user_authentication', ...(maxAge === undefined ? {} : { maxAge: Number(maxAge) }) };
    }
  }
  if (status === 401) {
    const sure = /error="?(?:invalid_token|\w+_dpop_\w+)\b/.test(challenge) || !isJson(read);
    return { kind: 'refused', sure };
  }
  if (status === 403) {
    const type = typeOf(read.body);
    if (/error="?insufficient_scope\b/.test(challenge) || type?.includes('A0E-403-0002') === true) {
      return { kind: 'step_up', reason: 'insufficient_scope', ...(type === undefined ? {} : { type }) };
    }
  }
  // A redirect is not followed: the token would go along. A page of something in between is not the API's word.
  return status < 400 || read.rest !== undefined || !isJson(read) ? { kind: 'foreign' } : { kind: 'pass' };
}

/** The failure for an answer that is not the API's: the request went out, and what became of it is not known. */
export const foreignAnswer = (status: number): Failure =>
  new NoAnswer('upstream_unreachable', {
    sent: true,
    stale: false,
    cause: new Error(`an answer with status ${status} that is not the API's`),
  });
