import type { Request, RequestHandler, Response } from 'express';
import { Failure } from '../http/errors.ts';
import type { Metrics } from '../http/metrics.ts';
import { isNavigation } from '../http/navigation.ts';
import type { Budget, Verdict } from '../limiter/budget.ts';
import type { FreshToken } from '../tokens/fresh.ts';
import { foreignAnswer, meaningOf } from './answer.ts';
import { checkBodyHead, readBody } from './body.ts';
import type { BodyLimits } from './body.ts';
import { createForward, NoAnswer } from './forward.ts';
import type { Caller, Challenge, Tokens } from './parts.ts';
import { readTarget } from './path.ts';
import type { Target } from './path.ts';
import { upstreamHeaders, wishedScopes } from './request.ts';
import { BrokenAnswer, readAnswer, sendBody, setHead } from './response.ts';
import type { Read } from './response.ts';

/** What the proxy is made of; `upstream` is the tenant's origin, deadlines are milliseconds. */
export interface AccountParts<C extends Caller> {
  readonly upstream: string;
  readonly publicPath?: string;
  readonly callerOf: (req: Request) => C | undefined;
  readonly tokens: Tokens<C>;
  readonly budget: Budget;
  readonly challenge: Challenge<C>;
  /** Told when a change went through. */
  readonly changed?: (caller: C) => void;
  readonly metrics: Metrics;
  readonly connectMs?: number;
  readonly answerMs?: number;
  readonly body?: Partial<BodyLimits>;
}

/** The handler of `/api/me`, and how to end its idle connections. */
export interface Account {
  readonly handle: RequestHandler;
  close(): void;
}

// One for all: making an error for every browser that leaves would cost its stack each time.
const gone = new Error('the browser left');

interface Turn<C extends Caller> {
  readonly caller: C;
  readonly target: Target;
  readonly headers: Record<string, string>;
  readonly body: Buffer | undefined;
  readonly signal: AbortSignal;
}

/**
 * The My Account API behind the session: operation, scope, budget, token, forward, in this order, so that what is refused costs nothing that
 * comes after. Mount it at `publicPath` before any body parser, behind the cross-site check.
 */
export function createAccount<C extends Caller>(parts: AccountParts<C>): Account {
  const { upstream, publicPath = '/api/me', tokens, budget, challenge, metrics, connectMs = 2_000, answerMs = 10_000 } = parts;
  const limits: BodyLimits = { bytes: 65_536, ms: answerMs, ...parts.body };
  const host = new URL(upstream).host;
  const forward = createForward({ upstream, connectMs, answerMs });

  const stepUp = (
    req: Request,
    caller: C,
    target: Target,
    why: { reason: string; scope?: readonly string[]; type?: string; maxAge?: number },
  ) => {
    const granted = tokens.scopes(caller);
    const wished = wishedScopes(req.headers).filter((scope) => !granted.includes(scope));
    const scope = [...new Set([target.operation.scope, ...(why.scope ?? []), ...wished])];
    const returnTo = isNavigation(req) ? { returnTo: req.originalUrl } : {};
    const maxAge = why.maxAge === undefined ? {} : { maxAge: why.maxAge };
    const failure = challenge({ session: caller, scope, reason: why.reason, ...returnTo, ...maxAge });
    // Clients of Auth0's tell a missing scope by this type.
    if (why.type !== undefined) failure.members['type'] = why.type;
    return failure;
  };

  const limited = (by: 'user' | 'tenant', seconds: number, verdict: Verdict, target: Target): Failure =>
    by === 'user'
      ? new Failure('rate_limited', { headers: { ...budget.headers(verdict.quota, target.cost), 'Retry-After': String(seconds) } })
      : new Failure('tenant_busy', { headers: { 'Retry-After': String(seconds) } });

  const usable = async (req: Request, { caller, target }: Turn<C>): Promise<Extract<FreshToken, { kind: 'usable' }>> => {
    const token = await tokens.freshToken(caller, target.operation.scope);
    if (token.kind === 'ended') throw new Failure('login_required');
    if (token.kind === 'passing') throw new Failure('tenant_busy', { headers: { 'Retry-After': String(token.retryAfterSeconds) } });
    if (token.kind === 'step_up') throw stepUp(req, caller, target, token);
    // What came back may be less than what was known before: a refresh can narrow in silence.
    if (!token.scope.includes(target.operation.scope)) throw stepUp(req, caller, target, { reason: 'insufficient_scope' });
    return token;
  };

  /** One request to the API with a fresh token; the place in the budget goes back when nothing was sent. */
  const send = async (req: Request, turn: Turn<C>, verdict: Extract<Verdict, { admitted: true }>): Promise<Read> => {
    const { target, caller } = turn;
    const { name: operation, method } = target.operation;
    let sent = false;
    let status = 'none';
    try {
      const token = await usable(req, turn);
      const proof = await token.headers(method, upstream + target.url);
      const call = { method, url: target.url, headers: { ...turn.headers, ...lowerCased(proof) }, body: turn.body };
      const measured = metrics.upstreamSeconds.startTimer({ operation });
      sent = true;
      const message = await forward(call, turn.signal);
      measured();
      status = String(message.statusCode);
      budget.feedback({ user: caller.user, cost: target.cost, status: message.statusCode ?? 0, headers: message.headers });
      return await readAnswer(message);
    } catch (error) {
      if (!sent || (error instanceof NoAnswer && !error.sent)) verdict.giveBack();
      throw error;
    } finally {
      if (sent) metrics.upstreamRequests.inc({ operation, status });
    }
  };

  const admit = async ({ caller, target, signal }: Turn<C>): Promise<Extract<Verdict, { admitted: true }>> => {
    const { cost } = target.operation;
    const priority = isProof(target) ? 'verify' : cost === 'write' ? 'write' : 'first';
    const verdict = await budget.take({ user: caller.user, cost: target.cost, priority, signal });
    if (!verdict.admitted) throw limited(verdict.by, verdict.retryAfterSeconds, verdict, target);
    return verdict;
  };

  const answer = async (req: Request, res: Response, turn: Turn<C>, again: boolean): Promise<void> => {
    const { caller, target } = turn;
    const verdict = await admit(turn);
    const read = await send(req, turn, verdict);
    const meaning = meaningOf(read);
    const pass = (): void => {
      setHead(res, read, { upstream, publicPath, extra: budget.headers(verdict.quota, target.cost) });
      sendBody(res, read);
    };
    switch (meaning.kind) {
      case 'pass':
        if (read.status < 300 && target.operation.method !== 'GET') parts.changed?.(caller);
        pass();
        return;
      case 'refused': {
        tokens.refused(caller, { headers: read.headers });
        // A nonce that was missing, or a token that died early: once more, when nothing can have happened at the API.
        if (!again && (meaning.nonce || turn.target.operation.method === 'GET')) {
          await answer(req, res, turn, true);
          return;
        }
        // A proof may be what was wrong: then its refusal is the user's to read. The token is renewed before its next use either way.
        if (!meaning.sure && isProof(target)) {
          pass();
          return;
        }
        throw new Failure('login_required');
      }
      case 'step_up':
        throw stepUp(req, caller, target, meaning);
      case 'limited':
        metrics.upstreamRateLimited.inc({ kind: meaning.by });
        throw limited(meaning.by, meaning.retryAfterSeconds, verdict, target);
      case 'foreign':
        read.rest?.destroy();
        throw foreignAnswer(read.status);
    }
  };

  const handle: RequestHandler = async function account(req, res) {
    const caller = parts.callerOf(req);
    if (caller === undefined) throw new Failure('login_required');
    const target = readTarget(req.method, req.originalUrl, publicPath);
    const { operation } = target;
    res.locals.route = `${publicPath}/v1${operation.path}`;
    checkBodyHead(req, operation, limits);
    if (!tokens.scopes(caller).includes(operation.scope)) throw stepUp(req, caller, target, { reason: 'insufficient_scope' });

    const leaving = new AbortController();
    res.once('close', () => {
      if (!res.writableFinished) leaving.abort(gone);
    });
    const body = operation.method === 'GET' || operation.method === 'DELETE' ? undefined : await readBody(req, limits);
    const headers = upstreamHeaders(req.headers, { host, requestId: req.id, body });
    try {
      await answer(req, res, { caller, target, headers, body, signal: leaving.signal }, false);
    } catch (error) {
      // The browser has left, or would be told something untrue: nobody is answered.
      if (leaving.signal.aborted || error instanceof BrokenAnswer) res.destroy();
      else throw error;
    }
  };
  return {
    handle,
    close: () => {
      forward.close();
    },
  };
}

/** Does this request bring a code, an attestation or the like that a user is waiting on? */
const isProof = ({ operation: { name } }: Target): boolean => name.startsWith('confirm') || name.startsWith('complete');

const lowerCased = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
