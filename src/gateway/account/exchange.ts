import { Failure } from '../http/errors.ts';
import type { Metrics } from '../http/metrics.ts';
import { rateLimitHeaders } from '../limiter/headers.ts';
import type { Admitted, Limiter, Priority, Verdict } from '../limiter/limiter.ts';
import type { FreshToken } from '../tokens/fresh.ts';
import { foreignAnswer, meaningOf } from './answer.ts';
import { NoAnswer } from './call.ts';
import type { Engine } from './call.ts';
import { limited } from './limited.ts';
import type { Caller, Tokens } from './parts.ts';
import type { Target } from './path.ts';
import type { Fetched, Manner } from './fetched.ts';
import type { Read } from './response.ts';

/** One request of one caller, checked and complete but for its token. */
export interface Turn<C extends Caller> {
  readonly caller: C;
  readonly target: Target;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
  /** Makes the refusal that sends this user to step up, for this request. */
  readonly stepUp: (why: { readonly reason: string; readonly type?: string; readonly maxAge?: number }) => Failure;
}

/** An answer of the API, and for how many seconds it has closed a bucket. */
interface Sent {
  readonly read: Read;
  readonly closedSeconds: number | undefined;
}

// What an answer at hand is worth waiting for, in milliseconds.
const impatienceMs = 100;
// Whoever waited this long may find that another gateway has brought the answer meanwhile.
const longWaitMs = 50;
const full = new Failure('tenant_busy');

/** Does this request bring a code, an attestation or the like that a user is waiting on? */
const isProof = ({ operation: { name } }: Target): boolean => name.startsWith('confirm') || name.startsWith('complete');

const priorityOf = (target: Target, again: boolean): Priority => {
  if (isProof(target)) return 'verify';
  if (target.operation.method !== 'GET') return 'write';
  return again ? 'refetch' : 'first';
};

const lowerCased = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

/**
 * Takes a request to the API and back: a place in the budget, a token, the call, and what the answer means. Answers what the API itself says to
 * the browser; throws the failure for everything else. A place goes back when nothing was sent.
 */
export function createExchange<C extends Caller>(parts: {
  readonly upstream: string;
  readonly tokens: Tokens<C>;
  readonly limiter: Limiter;
  readonly forward: Engine;
  readonly metrics: Metrics;
}) {
  const { upstream, tokens, limiter, forward, metrics } = parts;

  const told = ({ quota }: Verdict, { bucket }: Target) => ({ quota, bucket });

  const admit = async ({ caller, target }: Turn<C>, { again, patient, place }: Manner, signal: AbortSignal): Promise<Admitted> => {
    const impatience = patient ? undefined : AbortSignal.timeout(impatienceMs);
    const either = impatience === undefined ? signal : AbortSignal.any([signal, impatience]);
    try {
      const wish = { user: caller.user, bucket: target.bucket, priority: priorityOf(target, again), signal: either };
      const verdict = await limiter.take(place === undefined ? wish : { ...wish, reservation: place });
      if (!verdict.admitted) throw limited(verdict.by, verdict.retryAfterSeconds, told(verdict, target));
      return verdict;
    } catch (error) {
      throw impatience?.aborted === true && !signal.aborted && !(error instanceof Failure) ? full : error;
    }
  };

  const usable = async ({ caller, target, stepUp }: Turn<C>): Promise<Extract<FreshToken, { kind: 'usable' }>> => {
    const token = await tokens.freshToken(caller, target.operation.scope);
    if (token.kind === 'ended') throw new Failure('login_required');
    if (token.kind === 'passing') throw new Failure('tenant_busy', { headers: { 'Retry-After': String(token.retryAfterSeconds) } });
    if (token.kind === 'step_up') throw stepUp(token);
    // What came back may be less than what was known before: a refresh can narrow in silence.
    if (!token.scope.includes(target.operation.scope)) throw stepUp({ reason: 'insufficient_scope' });
    return token;
  };

  const send = async (turn: Turn<C>, verdict: Admitted, signal: AbortSignal): Promise<Sent> => {
    const { target, caller } = turn;
    const { name: operation, method } = target.operation;
    let sent = false;
    let status = 'none';
    let closedSeconds: number | undefined;
    try {
      const token = await usable(turn);
      const proof = await token.headers(method, upstream + target.url);
      const call = { method, url: target.url, headers: { ...turn.headers, ...lowerCased(proof) }, body: turn.body };
      const began = performance.now();
      sent = true;
      const read = await forward(call, signal, (code, headers) => {
        metrics.upstreamSeconds.observe({ operation }, (performance.now() - began) / 1000);
        status = String(code);
        closedSeconds = limiter.feedback({ user: caller.user, bucket: target.bucket, status: code, headers });
      });
      return { read, closedSeconds };
    } catch (error) {
      if (!sent || (error instanceof NoAnswer && !error.sent)) verdict.refund();
      throw error;
    } finally {
      verdict.settled();
      if (sent) metrics.upstreamRequests.inc({ operation, status });
    }
  };

  return async function exchange(turn: Turn<C>, manner: Manner, signal: AbortSignal, repeated = false): Promise<Fetched> {
    const { caller, target, stepUp } = turn;
    const verdict = await admit(turn, manner, signal);
    const brought = verdict.waitedMs > longWaitMs ? await manner.atHand?.() : undefined;
    if (brought !== undefined) {
      verdict.refund();
      return brought;
    }
    const { read, closedSeconds } = await send(turn, verdict, signal);
    const meaning = meaningOf(read);
    const passed: Fetched = { read, extra: rateLimitHeaders(target.bucket, verdict.quota) };
    switch (meaning.kind) {
      case 'pass':
        return passed;
      case 'refused':
        tokens.refused(caller, { headers: read.headers });
        // A proof may be what was wrong: then its refusal is the user's to read, and a wrong code is not spent twice. The token is renewed before its next use.
        if (!meaning.sure && isProof(target)) return passed;
        // A nonce that was missing, or a token that died early: nothing was done at the API, so once more, changes too.
        if (!repeated) return exchange(turn, manner, signal, true);
        throw new Failure('login_required');
      case 'step_up':
        throw stepUp(meaning);
      case 'limited':
        throw limited(meaning.by, closedSeconds ?? 1, told(verdict, target));
      case 'foreign':
        read.rest?.destroy();
        throw foreignAnswer(read.status);
    }
  };
}
