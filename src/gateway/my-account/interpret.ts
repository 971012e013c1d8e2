import type { Failure } from '../http/errors.ts';
import { NoResponse } from '../http/upstream-response.ts';
import type { UpstreamResponse } from '../http/upstream-response.ts';

/** What a response of the API means for the gateway. */
export type UpstreamOutcome =
  | { readonly kind: 'pass' }
  /**
   * The token was not accepted, or only a DPoP nonce was missing: nothing was done. `sure` when the
   * response blames the token: nobody outside Auth0 knows whether a wrong code is a 401 as well.
   */
  | { readonly kind: 'refused'; readonly sure: boolean }
  | {
      readonly kind: 'step_up';
      readonly reason: string;
      readonly type?: string;
      readonly maxAge?: number;
    }
  | { readonly kind: 'rate_limited'; readonly by: 'user' | 'tenant' }
  /** Not the API's word: a page of something in between, a redirect, bytes nobody asked for. */
  | { readonly kind: 'foreign' };

const json = /^application\/(?:json|problem\+json)(?:;|$)/i;

const text = (value: string | string[] | undefined): string =>
  Array.isArray(value) ? value.join(', ') : (value ?? '');

/** Whether the response is one the API gives: JSON that is not compressed, or no body at all. */
const isJson = ({ headers, body }: UpstreamResponse): boolean => {
  const { 'content-type': type, 'content-encoding': encoding } = headers;
  if (body.length === 0) return true;
  const plain = encoding === undefined || encoding === 'identity';
  return plain && typeof type === 'string' && json.test(type);
};

/** The problem `type` of a body when it has one, for matching by code: the URI around the code is spelled in two ways. */
function typeOf(body: Buffer): string | undefined {
  try {
    const parsed: unknown = JSON.parse(body.toString());
    const type = typeof parsed === 'object' && parsed !== null && 'type' in parsed && parsed.type;
    return typeof type === 'string' ? type : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Returns what a response of the API means. Scope and limits by the stable signals only:
 * `WWW-Authenticate` (RFC 6750 section 3.1, RFC 9470 section 3) or the code `A0E-403-0002` in the
 * body's type; which scope was missing is known from our own table, never taken from the response.
 */
export function interpret(response: UpstreamResponse): UpstreamOutcome {
  const { status, headers, body, bodyStream } = response;
  if (status >= 200 && status < 300)
    return isJson(response) ? { kind: 'pass' } : { kind: 'foreign' };
  if (status === 429) {
    const by = headers['x-auth0-error-kind'] === undefined ? 'user' : 'tenant';
    return { kind: 'rate_limited', by };
  }
  const challenge = text(headers['www-authenticate']);
  if (status === 401 || status === 403) {
    const reason = 'insufficient_user_authentication';
    if (/error="?insufficient_user_authentication\b/.test(challenge)) {
      const maxAge = /max_age="?(\d{1,6})\b/.exec(challenge)?.[1];
      return { kind: 'step_up', reason, ...(maxAge !== undefined && { maxAge: Number(maxAge) }) };
    }
  }
  if (status === 401) {
    const blamed = /error="?(?:invalid_token|\w+_dpop_\w+)\b/.test(challenge);
    return { kind: 'refused', sure: blamed || !isJson(response) };
  }
  if (status === 403) {
    const type = typeOf(body);
    const said = /error="?insufficient_scope\b/.test(challenge);
    if (said || type?.includes('A0E-403-0002') === true)
      return { kind: 'step_up', reason: 'insufficient_scope', ...(type !== undefined && { type }) };
  }
  // A redirect is not followed: the token would go along.
  const foreign = status < 400 || status > 599 || bodyStream !== undefined || !isJson(response);
  return { kind: foreign ? 'foreign' : 'pass' };
}

/** Returns the failure for a response that is not the API's: the request went out, and what became of it is not known. */
export const foreignResponse = (status: number): Failure =>
  new NoResponse('upstream_unreachable', {
    sent: true,
    stale: false,
    cause: new Error(`a response with status ${status} that is not the API's`),
  });
