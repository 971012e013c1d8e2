import { Failure } from '../http/errors.ts';
import type { Limiter } from '../limiter/limiter.ts';
import type { Session } from '../session/sessions.ts';
import type { Challenge } from '../step-up/challenge.ts';
import type { Fresh } from '../tokens/fresh.ts';

/** The scope of both steps of connecting an account. */
export const connectScope = 'create:me:connected_accounts';

/** What the My Account API answered to a write of this gateway's own. */
export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Sends one write to the My Account API as this user; what the API says with another status than 401, 429 and 5xx comes back as it is. */
export type Call = (session: Session, path: `/${string}`, body: unknown, returnTo: string) => Promise<Answer>;

/** What a call needs: token, place in the budget, and the deadline in milliseconds for the whole of it. */
export interface CallParts {
  readonly upstream: string;
  readonly answerMs: number;
  readonly limiter: Limiter;
  readonly fresh: Fresh;
  readonly challenge: Challenge;
}

/** Makes the call; a write is sent once more only where DPoP wanted a nonce, so that the first was not looked at. */
export const createCall = ({ upstream, answerMs, limiter, fresh, challenge }: CallParts): Call => {
  const once = async (session: Session, url: string, body: unknown, returnTo: string, again: boolean): Promise<Answer> => {
    const verdict = await limiter.take({ user: session.user, bucket: 'connected_accounts_create_flow', priority: 'write' });
    if (!verdict.admitted) {
      const headers = { 'Retry-After': String(verdict.retryAfterSeconds) };
      throw new Failure(verdict.by === 'user' ? 'rate_limited' : 'tenant_busy', { headers, members: { returnTo } });
    }
    let headers: Record<string, string>;
    try {
      const token = await fresh.token(session, connectScope);
      if (token.kind === 'ended') throw new Failure('login_required');
      if (token.kind === 'passing')
        throw new Failure('tenant_busy', { headers: { 'Retry-After': String(token.retryAfterSeconds) }, members: { returnTo } });
      if (token.kind === 'step_up') throw challenge({ session, scope: [connectScope], reason: token.reason, returnTo });
      if (!token.scope.includes(connectScope)) throw challenge({ session, scope: [connectScope], reason: 'insufficient_scope', returnTo });
      headers = await token.headers('POST', url);
    } catch (failure) {
      verdict.refund();
      throw failure;
    }
    let response: Response;
    let text: string;
    try {
      response = await fetch(url, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json', accept: 'application/json' },
        body: JSON.stringify(body),
        redirect: 'manual',
        signal: AbortSignal.timeout(answerMs),
      });
      text = await response.text();
    } catch (cause) {
      verdict.settled();
      const late = cause instanceof Error && cause.name === 'TimeoutError';
      throw new Failure(late ? 'upstream_timeout' : 'upstream_unreachable', { cause, members: { returnTo } });
    }
    verdict.settled();
    const { status } = response;
    const named = Object.fromEntries(response.headers);
    const closedSeconds = limiter.feedback({ user: session.user, bucket: 'connected_accounts_create_flow', status, headers: named }) ?? 1;
    if (status === 429) {
      const wait = { 'Retry-After': String(closedSeconds) };
      const code = response.headers.has('x-auth0-error-kind') ? 'tenant_busy' : 'rate_limited';
      throw new Failure(code, { headers: wait, members: { returnTo } });
    }
    if (status === 401) {
      fresh.refused(session, { headers: named });
      if (!again && /_dpop_nonce/.test(response.headers.get('www-authenticate') ?? '')) return once(session, url, body, returnTo, true);
      throw new Failure('login_required');
    }
    if (status >= 500 || (status >= 300 && status < 400))
      throw new Failure('upstream_unreachable', { cause: new Error(`status ${status}`), members: { returnTo } });
    return { status, body: readObject(text) };
  };
  return (session, path, body, returnTo) => once(session, `${upstream}/me/v1${path}`, body, returnTo, false);
};

const readObject = (text: string): Record<string, unknown> => {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {};
  } catch {
    return {};
  }
};
