import { Failure } from '../http/errors.ts';
import type { Metrics } from '../http/metrics.ts';
import { NoResponse } from '../http/upstream-response.ts';
import type { UpstreamResponse } from '../http/upstream-response.ts';
import type { FetchOptions, FetchResult } from '../cache/reads.ts';
import { rateLimitHeaders } from '../limiter/headers.ts';
import type { Admitted, Limiter, Priority, Verdict } from '../limiter/limiter.ts';
import { rateLimited } from '../limiter/rate-limited.ts';
import type { Session } from '../session/sessions.ts';
import type { AccessTokenResult } from '../tokens/access-token.ts';
import type { Browser, SendCall } from './call.ts';
import type { Tokens } from './context.ts';
import { foreignResponse, interpret } from './interpret.ts';
import type { Target } from './target.ts';

/** One request of one session, checked and complete but for its token. */
export interface ProxiedRequest {
  readonly session: Session;
  readonly target: Target;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
  /** The browser's own request and response, for what the browser itself sends on. */
  readonly browser?: Browser | undefined;
  /** Makes the refusal that sends this user to step up, for this request. */
  readonly stepUp: (why: StepUpReason) => Failure;
}

/** Why a step-up is asked for; `type` is the API's own. */
export interface StepUpReason {
  readonly reason: string;
  readonly type?: string;
  readonly maxAge?: number;
}

/** A response of the API, and for how many seconds it has closed a bucket. */
interface Sent {
  readonly response: UpstreamResponse;
  readonly closedSeconds: number | undefined;
}

// What an answer at hand is worth waiting for, in milliseconds.
const impatienceMs = 100;
// Whoever waited this long may find that another gateway has brought the answer meanwhile.
const longWaitMs = 50;
const full = new Failure('tenant_busy');

/** Whether this request brings a code, an attestation or the like that a user is waiting on. */
const isProof = ({ operation: { name } }: Target): boolean =>
  name.startsWith('confirm') || name.startsWith('complete');

const priorityOf = (target: Target, revalidate: boolean): Priority => {
  if (isProof(target)) return 'verify';
  if (target.operation.method !== 'GET') return 'write';
  return revalidate ? 'refetch' : 'first';
};

const lowerCased = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const),
  );

/**
 * Makes the way of a request to the API and back: a place in the budget, a token, the call, and
 * what the response means. Returns what the API itself says; throws the failure for everything
 * else. A place goes back when nothing was sent.
 */
export function createExchange(parts: {
  readonly upstream: string;
  readonly tokens: Tokens;
  readonly limiter: Limiter;
  readonly transport: SendCall;
  readonly metrics: Metrics;
}) {
  const { upstream, tokens, limiter, transport, metrics } = parts;

  const told = ({ quota }: Verdict, { bucket }: Target) => ({ quota, bucket });

  const admit = async (
    { session, target }: ProxiedRequest,
    { revalidate, mayQueue, reservation }: FetchOptions,
    signal: AbortSignal,
  ): Promise<Admitted> => {
    const impatience = mayQueue ? undefined : AbortSignal.timeout(impatienceMs);
    const either = impatience === undefined ? signal : AbortSignal.any([signal, impatience]);
    try {
      const verdict = await limiter.take({
        user: session.user,
        bucket: target.bucket,
        priority: priorityOf(target, revalidate),
        signal: either,
        ...(reservation && { reservation }),
      });
      if (!verdict.admitted)
        throw rateLimited(verdict.by, verdict.retryAfterSeconds, told(verdict, target));
      return verdict;
    } catch (error) {
      const impatient = impatience?.aborted === true && !signal.aborted;
      throw impatient && !(error instanceof Failure) ? full : error;
    }
  };

  const usable = async ({
    session,
    target,
    stepUp,
  }: ProxiedRequest): Promise<Extract<AccessTokenResult, { kind: 'usable' }>> => {
    const { scope } = target.operation;
    const token = await tokens.token(session, scope);
    if (token.kind === 'ended') throw new Failure('login_required');
    if (token.kind === 'temporary') {
      const headers = { 'Retry-After': String(token.retryAfterSeconds) };
      throw new Failure('tenant_busy', { headers });
    }
    if (token.kind === 'step_up') throw stepUp(token);
    // What came back may be less than what was known before: a refresh can narrow in silence.
    if (!token.scope.includes(scope)) throw stepUp({ reason: 'insufficient_scope' });
    return token;
  };

  const send = async (
    request: ProxiedRequest,
    verdict: Admitted,
    signal: AbortSignal,
  ): Promise<Sent> => {
    const { session, target, body, browser } = request;
    const { name: operation, method } = target.operation;
    let sent = false;
    let status = 'none';
    let closedSeconds: number | undefined;
    try {
      const token = await usable(request);
      const proof = await token.headers(method, upstream + target.url);
      const headers = { ...request.headers, ...lowerCased(proof) };
      const call = { method, url: target.url, headers, body, browser };
      const began = performance.now();
      sent = true;
      const response = await transport(call, signal, (code, heard) => {
        metrics.upstreamSeconds.observe({ operation }, (performance.now() - began) / 1000);
        status = String(code);
        const answer = { user: session.user, bucket: target.bucket, status: code, headers: heard };
        closedSeconds = limiter.feedback(answer);
      });
      return { response, closedSeconds };
    } catch (error) {
      if (!sent || (error instanceof NoResponse && !error.sent)) verdict.refund();
      throw error;
    } finally {
      verdict.settled();
      if (sent) metrics.upstreamRequests.inc({ operation, status });
    }
  };

  return async function exchange(
    request: ProxiedRequest,
    options: FetchOptions,
    signal: AbortSignal,
    repeated = false,
  ): Promise<FetchResult> {
    const { session, target, stepUp } = request;
    const verdict = await admit(request, options, signal);
    const waited = verdict.waitedMs > longWaitMs;
    const meanwhile = waited ? await options.cachedMeanwhile?.() : undefined;
    if (meanwhile !== undefined) {
      verdict.refund();
      return meanwhile;
    }
    const { response, closedSeconds } = await send(request, verdict, signal);
    const outcome = interpret(response);
    const passed = { response, extra: rateLimitHeaders(target.bucket, verdict.quota) };
    switch (outcome.kind) {
      case 'pass':
        return passed;
      case 'refused':
        tokens.rejected(session, { headers: response.headers });
        // A proof may be what was wrong: then its refusal is the user's to read, and a wrong code is
        // not spent twice. The token is renewed before its next use.
        if (!outcome.sure && isProof(target)) return passed;
        // A nonce that was missing, or a token that died early: nothing was done at the API, so once
        // more, changes too.
        if (!repeated) return exchange(request, options, signal, true);
        throw new Failure('login_required');
      case 'step_up':
        throw stepUp(outcome);
      case 'rate_limited':
        throw rateLimited(outcome.by, closedSeconds ?? 1, told(verdict, target));
      case 'foreign':
        response.bodyStream?.destroy();
        throw foreignResponse(response.status);
    }
  };
}
