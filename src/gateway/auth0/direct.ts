import { Failure } from '../http/errors.ts';
import { currentRequestId } from '../http/request-id.ts';
import { readRetryAfter } from '../http/retry-after.ts';
import { OAuthError } from './grant.ts';

/** Calls one of Auth0's endpoints for embedded login; what it refuses throws OAuthError, what does not answer throws Failure. */
export type Direct = (path: `/${string}`, call: DirectCall) => Promise<unknown>;

/** Members make it a POST; a bearer takes the place of client authentication. */
export interface DirectCall {
  readonly members?: Readonly<Record<string, unknown>> | undefined;
  readonly bearer?: string | undefined;
}

/** Makes the calls; `credentials` are the members that prove who this gateway is (a secret, or a fresh assertion for private_key_jwt). */
export const createDirect = (options: {
  domain: string;
  answerTimeoutMs: number;
  credentials: () => Promise<Record<string, string>>;
}): Direct => {
  const { domain, answerTimeoutMs, credentials } = options;
  return async (path, { members, bearer }) => {
    const own = bearer === undefined ? await credentials() : {};
    const id = currentRequestId();
    const post = members !== undefined || bearer === undefined;
    let response: Response;
    let body: unknown;
    try {
      response = await fetch(domain + path, {
        method: post ? 'POST' : 'GET',
        headers: {
          accept: 'application/json',
          ...(id !== undefined && { 'x-correlation-id': id }),
          ...(post && { 'content-type': 'application/json' }),
          ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
        },
        body: post ? JSON.stringify({ ...members, ...own }) : null,
        redirect: 'error',
        signal: AbortSignal.timeout(answerTimeoutMs),
      });
      const text = await response.text();
      body = text === '' ? {} : (JSON.parse(text) as unknown);
    } catch (cause) {
      throw new Failure(cause instanceof Error && cause.name === 'TimeoutError' ? 'upstream_timeout' : 'upstream_unreachable', { cause });
    }
    if (response.ok) return body;
    const said = typeof body === 'object' && body !== null ? { ...body } : {};
    const error = 'error' in said && typeof said.error === 'string' ? said.error : 'invalid_response';
    if (response.status >= 500) throw new Failure('upstream_unreachable', { cause: new Error(`status ${response.status}`) });
    const retryAfterSeconds = readRetryAfter((name) => response.headers.get(name));
    throw new OAuthError(error, { status: response.status, body: said, retryAfterSeconds });
  };
};
