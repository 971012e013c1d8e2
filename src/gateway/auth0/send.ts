import { currentRequestId } from '../http/request-id.ts';
import type { GrantOptions } from './auth0.ts';
import type { TenantClock } from './clock.ts';

interface Request {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: RequestInit['body'] | undefined;
  readonly signal?: AbortSignal | undefined;
}

type SendOptions = Pick<GrantOptions, 'nested' | 'forwardedFor'> & { readonly deadline?: AbortSignal };

/** Makes the way requests go to the tenant: the clock learns of each answer, and what a grant carries beside its form is put in. */
export const createSend =
  (clock: TenantClock, { nested, forwardedFor, deadline }: SendOptions = {}) =>
  async (url: string, { method, headers, body, signal }: Request): Promise<Response> => {
    const id = currentRequestId();
    const sent = {
      ...headers,
      ...(id !== undefined && { 'x-correlation-id': id }),
      ...(forwardedFor !== undefined && { 'auth0-forwarded-for': forwardedFor }),
    };
    const json = nested !== undefined && body instanceof URLSearchParams;
    const answer = await fetch(url, {
      method,
      headers: json ? { ...sent, 'content-type': 'application/json' } : sent,
      body: json ? JSON.stringify({ ...Object.fromEntries(body), ...nested }) : (body ?? null),
      redirect: 'manual',
      signal: deadline ?? signal ?? null,
    });
    clock.observe(answer.headers);
    return answer;
  };
