import type { Request, RequestHandler, Response } from 'express';
import { etagOf } from '../cache/reads.ts';
import type { Cache } from '../cache/cache.ts';
import type { FetchResult } from '../cache/reads.ts';
import { Failure } from '../http/errors.ts';
import { createFewATurn } from '../http/few-a-turn.ts';
import { isNavigation } from '../http/navigation.ts';
import { crossSite } from '../http/same-origin.ts';
import { TruncatedResponse } from '../http/upstream-response.ts';
import type { UpstreamResponse } from '../http/upstream-response.ts';
import type { Limiter } from '../limiter/limiter.ts';
import { isRateLimited } from '../limiter/rate-limited.ts';
import type { Client } from '../my-account/client.ts';
import type { Tokens } from '../my-account/context.ts';
import type { StepUpReason } from '../my-account/exchange.ts';
import { upstreamHeaders, wantsRevalidation, wishedScopes } from '../my-account/headers.ts';
import { readTarget, routeOf } from '../my-account/target.ts';
import type { Target } from '../my-account/target.ts';
import type { ScriptPipeline } from '../redis/scripts.ts';
import type { Session } from '../session/sessions.ts';
import type { Challenge } from '../step-up/challenge.ts';
import { checkBodyHead, readBody } from './body.ts';
import type { BodyLimits } from './body.ts';
import { createPrefetch } from './prefetch.ts';
import type { Prefetch, SessionLookup } from './prefetch.ts';
import { headOf, send } from './response.ts';

/** What the route is made of; `upstream` is the tenant's origin, deadlines are milliseconds. */
export interface AccountParts {
  readonly client: Client;
  readonly upstream: string;
  readonly publicPath: string;
  readonly sessions: SessionLookup;
  readonly tokens: Pick<Tokens, 'scopes' | 'declined'>;
  readonly limiter: Limiter;
  readonly challenge: Challenge<Session>;
  /** Names and values that every answer carries, in turn. */
  readonly headers: readonly string[];
  readonly answerMs: number;
  readonly body?: Partial<BodyLimits>;
  readonly cache: Cache | undefined;
  /** Begins a trip to the store that takes several questions; without it each is a trip of its own. */
  readonly pipeline: (() => ScriptPipeline) | undefined;
}

// One for all: making an error for every browser that leaves would cost its stack each time.
const gone = new Error('the browser left');

// Four take about as long as one step of a read does. All at once, the others' reads took five times
// as long in a flood of 32 connections.
const refusedInATurn = 4;

const matches = (sent: string | undefined, etag: string): boolean =>
  sent !== undefined &&
  (sent.trim() === '*' || sent.split(',').some((each) => each.trim().replace(/^W\//, '') === etag));

const textOf = (header: string | string[] | undefined): string | undefined =>
  typeof header === 'string' ? header : undefined;

/**
 * Makes the handler of `/api/me`, the My Account API behind the session: session, cross-site check,
 * operation, scope and body are checked here, in this order, so that what is refused costs nothing
 * that comes after; the rest is the client's. Mount it at `publicPath` before any body parser.
 */
export function createAccount(parts: AccountParts): RequestHandler {
  const { client, upstream, publicPath, sessions, tokens, limiter, challenge, answerMs } = parts;
  const { headers: always, cache, pipeline } = parts;
  const limits: BodyLimits = { bytes: 65_536, ms: answerMs, ...parts.body };
  const host = new URL(upstream).host;
  const tagged = cache !== undefined && cache.freshMs > 0;
  const prefetch = createPrefetch({
    publicPath,
    sessions,
    limiter,
    cache: tagged ? cache : undefined,
    pipeline,
  });

  const stepUpFor =
    (req: Request, session: Session, target: Target) =>
    (why: StepUpReason): Failure => {
      const granted = tokens.scopes(session);
      const wished = wishedScopes(req.headers).filter(
        (scope) => !granted.includes(scope) && !tokens.declined(session, scope),
      );
      const failure = challenge({
        session,
        scope: [...new Set([target.operation.scope, ...wished])],
        reason: why.reason,
        ...(isNavigation(req) && { returnTo: req.originalUrl }),
        ...(why.maxAge !== undefined && { maxAge: why.maxAge }),
      });
      // Clients of Auth0's tell a missing scope by this type.
      if (why.type !== undefined) failure.members['type'] = why.type;
      return failure;
    };

  const respond = (req: Request, res: Response, { response, extra }: FetchResult): void => {
    const standard = req.id === undefined ? always : always.concat('X-Request-Id', req.id);
    const own = { upstream, publicPath, standard, extra };
    const { status, bodyStream, body } = response;
    if (!tagged || req.method !== 'GET' || status !== 200 || bodyStream !== undefined) {
      send(res, response, headOf(response, own));
      return;
    }
    const etag = etagOf(body);
    const same = matches(req.headers['if-none-match'], etag);
    const shown: UpstreamResponse = same
      ? { status: 304, headers: {}, body: Buffer.alloc(0), bodyStream: undefined }
      : response;
    const head = headOf(shown, own);
    head.push('ETag', etag);
    send(res, shown, head);
  };

  const answer = async (req: Request, res: Response, early: Prefetch | undefined) => {
    const session = await (early === undefined ? sessions.find(req) : early.session);
    if (session === undefined) throw new Failure('login_required');
    const reason = sessions.crossSiteReason(req);
    if (reason !== undefined) throw crossSite(reason);
    const target = early?.target ?? readTarget(req.method, req.originalUrl, publicPath);
    const { operation } = target;
    const reading = operation.method === 'GET';
    res.locals.route = routeOf(publicPath, target);
    checkBodyHead(req, operation, limits);
    const stepUp = stepUpFor(req, session, target);
    const scopes = tokens.scopes(session);
    if (!scopes.includes(operation.scope)) throw stepUp({ reason: 'insufficient_scope' });
    prefetch.saw(session, scopes);

    const leaving = new AbortController();
    res.once('close', () => {
      if (!res.writableFinished) leaving.abort(gone);
    });
    const bodiless = reading || operation.method === 'DELETE';
    const body = bodiless ? undefined : await readBody(req, limits);
    const back = isNavigation(req) ? req.originalUrl : '';
    try {
      const result = await client({
        session,
        target,
        headers: upstreamHeaders(req.headers, { host, requestId: req.id, body }),
        body,
        stepUp,
        signal: leaving.signal,
        browser: reading ? undefined : { req, res },
        key: textOf(req.headers['idempotency-key']),
        revalidate: wantsRevalidation(req.headers),
        // Two who share a response share the refusal that sends them to step up.
        coalesceKey: `${back} ${wishedScopes(req.headers).join(' ')}`,
        prefetched: early?.user === session.user ? early : undefined,
      });
      respond(req, res, result);
    } catch (error) {
      if (reading && isRateLimited(error)) prefetch.wasRefused(session, target);
      // The browser has left, or would be told something untrue: nobody is answered.
      if (leaving.signal.aborted || error instanceof TruncatedResponse) res.destroy();
      else throw error;
    }
  };

  const refuse = createFewATurn(refusedInATurn);
  return function account(req, res, next) {
    const early = prefetch.begin(req, res);
    if (early instanceof Failure) {
      refuse(() => {
        next(early);
      });
      return;
    }
    const answered = answer(req, res, early);
    return early === undefined ? answered : answered.finally(early.release);
  };
}
