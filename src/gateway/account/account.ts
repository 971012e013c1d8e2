import type { Request, RequestHandler, Response } from 'express';
import { Failure } from '../http/errors.ts';
import { createFewATurn } from '../http/few-a-turn.ts';
import type { Metrics } from '../http/metrics.ts';
import { isNavigation } from '../http/navigation.ts';
import { crossSite } from '../http/same-origin.ts';
import type { Limiter } from '../limiter/limiter.ts';
import type { ScriptPipeline } from '../redis/client.ts';
import { checkBodyHead, readBody } from './body.ts';
import type { BodyLimits } from './body.ts';
import { createEarly } from './early.ts';
import type { Early } from './early.ts';
import { createExchange } from './exchange.ts';
import type { Turn } from './exchange.ts';
import { createForward } from './forward.ts';
import { createIdempotency } from './idempotency.ts';
import { isLimited } from './limited.ts';
import type { Caller, Callers, Challenge, Keep, Tokens } from './parts.ts';
import { readTarget, routeOf } from './path.ts';
import type { Target } from './path.ts';
import { createReads, etagOf } from './reads.ts';
import type { Fetched } from './fetched.ts';
import { asksAgain, upstreamHeaders, wishedScopes } from './request.ts';
import { BrokenAnswer, headOf, send } from './response.ts';
import type { Read } from './response.ts';
import { openVault } from './vault.ts';

/** What the proxy is made of; `upstream` is the tenant's origin, deadlines are milliseconds. */
export interface AccountParts<C extends Caller> {
  readonly upstream: string;
  readonly publicPath?: string;
  readonly callers: Callers<C>;
  readonly tokens: Tokens<C>;
  readonly limiter: Limiter;
  readonly challenge: Challenge<C>;
  /** Told when a change went through. */
  readonly changed?: (caller: C) => void;
  readonly metrics: Metrics;
  /** Names and values that every answer carries, in turn. */
  readonly headers?: readonly string[];
  readonly connectMs?: number;
  readonly answerMs?: number;
  readonly body?: Partial<BodyLimits>;
  /** Without it every read is sent. */
  readonly keep?: Keep<C>;
  /** Begins a trip to the store that takes several questions; without it each is a trip of its own. */
  readonly chain?: () => ScriptPipeline;
}

/** The handler of `/api/me`, and how to end its idle connections. */
export interface Account {
  readonly handle: RequestHandler;
  close(): void;
}

// One for all: making an error for every browser that leaves would cost its stack each time.
const gone = new Error('the browser left');

// Four take about as long as one step of a read does. All at once, the others' reads took five times as long in a flood of 32 connections.
const refusedInATurn = 4;

const matches = (sent: string | undefined, etag: string): boolean =>
  sent !== undefined && (sent.trim() === '*' || sent.split(',').some((each) => each.trim().replace(/^W\//, '') === etag));

/**
 * The My Account API behind the session: operation, scope, a kept answer, budget, token, forward, in this order, so that what is refused costs
 * nothing that comes after. Mount it at `publicPath` before any body parser, behind the cross-site check.
 */
export function createAccount<C extends Caller>(parts: AccountParts<C>): Account {
  const {
    upstream,
    publicPath = '/api/me',
    tokens,
    limiter,
    challenge,
    metrics,
    connectMs = 2_000,
    answerMs = 10_000,
    keep,
    headers: always = [],
  } = parts;
  const limits: BodyLimits = { bytes: 65_536, ms: answerMs, ...parts.body };
  const host = new URL(upstream).host;
  const forward = createForward({ upstream, connectMs, answerMs });
  const exchange = createExchange({ upstream, tokens, limiter, forward, metrics });
  const reads = keep && keep.forMs > 0 ? createReads({ store: keep.store, keepMs: keep.forMs, metrics }) : undefined;
  const early = createEarly({ publicPath, callers: parts.callers, limiter, keep: reads && keep, chain: parts.chain });
  const writes = keep && createIdempotency({ changes: keep.changes, answers: keep.store, waitMs: answerMs, publicPath });

  const stepUpFor =
    (req: Request, caller: C, target: Target): Turn<C>['stepUp'] =>
    (why) => {
      const granted = tokens.scopes(caller);
      const wished = wishedScopes(req.headers).filter((scope) => !granted.includes(scope) && !tokens.declined(caller, scope));
      const scope = [...new Set([target.operation.scope, ...wished])];
      const returnTo = isNavigation(req) ? { returnTo: req.originalUrl } : {};
      const maxAge = why.maxAge === undefined ? {} : { maxAge: why.maxAge };
      const failure = challenge({ session: caller, scope, reason: why.reason, ...returnTo, ...maxAge });
      // Clients of Auth0's tell a missing scope by this type.
      if (why.type !== undefined) failure.members['type'] = why.type;
      return failure;
    };

  const fetch = async (req: Request, turn: Turn<C>, signal: AbortSignal, begun: Early<C> | undefined): Promise<Fetched> => {
    const { target, caller, body } = turn;
    const vault = begun?.kept?.vault ?? (keep && openVault(keep.seal, keep.secretOf(caller), caller, target));
    if (vault !== undefined && reads !== undefined && target.operation.method === 'GET') {
      return reads({
        vault,
        url: target.url,
        again: asksAgain(req.headers),
        joinable: `${isNavigation(req) ? req.originalUrl : ''} ${wishedScopes(req.headers).join(' ')}`,
        signal,
        fetch: (own, manner) => exchange(turn, manner, own),
        early: begun?.kept && { look: begun.kept.look, place: begun.place },
      });
    }
    if (target.operation.method === 'GET' || vault === undefined || writes === undefined)
      return exchange(turn, { again: false, patient: true, place: begun?.place }, signal);
    const sent = req.headers['idempotency-key'];
    const key = typeof sent === 'string' ? sent : undefined;
    let extra: Fetched['extra'] = {};
    const send = async (): Promise<Fetched['read']> => {
      const fetched = await exchange(turn, { again: false, patient: true }, signal);
      ({ extra } = fetched);
      return fetched.read;
    };
    const { read, repeated } = await writes({ vault, target, body, key, signal, send });
    return { read, extra: repeated ? { 'Idempotency-Replayed': 'true' } : extra };
  };

  const respond = (req: Request, res: Response, { read, extra }: Fetched): void => {
    const standard = req.id === undefined ? always : always.concat('X-Request-Id', req.id);
    const own = { upstream, publicPath, standard, extra };
    if (reads === undefined || req.method !== 'GET' || read.status !== 200 || read.rest !== undefined) {
      send(res, read, headOf(read, own));
      return;
    }
    const etag = etagOf(read.body);
    const same = matches(req.headers['if-none-match'], etag);
    const shown: Read = same ? { status: 304, headers: {}, body: Buffer.alloc(0), rest: undefined } : read;
    const head = headOf(shown, own);
    head.push('ETag', etag);
    send(res, shown, head);
  };

  const answer = async (req: Request, res: Response, begun: Early<C> | undefined): Promise<void> => {
    const caller = await (begun === undefined ? parts.callers.find(req) : begun.caller);
    if (caller === undefined) throw new Failure('login_required');
    const foreign = parts.callers.foreign(req);
    if (foreign !== undefined) throw crossSite(foreign);
    const target = begun?.target ?? readTarget(req.method, req.originalUrl, publicPath);
    const { operation } = target;
    res.locals.route = routeOf(publicPath, target);
    checkBodyHead(req, operation, limits);
    const stepUp = stepUpFor(req, caller, target);
    const scopes = tokens.scopes(caller);
    if (!scopes.includes(operation.scope)) throw stepUp({ reason: 'insufficient_scope' });
    early.saw(caller, scopes);

    const leaving = new AbortController();
    res.once('close', () => {
      if (!res.writableFinished) leaving.abort(gone);
    });
    const body = operation.method === 'GET' || operation.method === 'DELETE' ? undefined : await readBody(req, limits);
    const headers = upstreamHeaders(req.headers, { host, requestId: req.id, body });
    try {
      const own = begun?.user === caller.user ? begun : undefined;
      const fetched = await fetch(req, { caller, target, headers, body, stepUp }, leaving.signal, own);
      if (operation.method !== 'GET' && fetched.read.status < 300) parts.changed?.(caller);
      respond(req, res, fetched);
    } catch (error) {
      if (operation.method === 'GET' && isLimited(error)) early.wasRefused(caller, target);
      // The browser has left, or would be told something untrue: nobody is answered.
      if (leaving.signal.aborted || error instanceof BrokenAnswer) res.destroy();
      else throw error;
    }
  };
  const refuse = createFewATurn(refusedInATurn);
  const handle: RequestHandler = function account(req, res, next) {
    const begun = early.begin(req, res);
    if (begun instanceof Failure) {
      refuse(() => {
        next(begun);
      });
      return;
    }
    const answered = answer(req, res, begun);
    return begun === undefined ? answered : answered.finally(begun.release);
  };
  return {
    handle,
    close: () => {
      forward.close();
    },
  };
}
