import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Auth0 } from '../auth0/auth0.ts';
import type { Background } from '../http/background.ts';
import type { Log } from '../http/log.ts';
import type { Metrics } from '../http/metrics.ts';
import type { Session, Sessions } from '../session/sessions.ts';
import type { LeaseTerms, Store } from '../session/store.ts';
import { createRotate, type RefreshOutcome } from './rotation.ts';

/** How long a request waits, in milliseconds: for an exchange of this process and for another's. */
export interface RefreshAsk {
  readonly scope?: readonly string[];
  readonly ownMs: number;
  readonly otherMs: number;
  /** Ends the session where its token is lost; without it the asker still has one to use. */
  readonly final: boolean;
}

/**
 * Spends a session's refresh token once, whoever asks and on however many gateways. The exchange
 * goes on when the asker has stopped waiting. Never throws but for the store.
 */
export type Refresh = (session: Session, ask: RefreshAsk) => Promise<RefreshOutcome>;

const leaseMs = 5_000;
const lookMs = 40;
const releaseAgainMs = 400;

/**
 * Returns how long the holder of a lease may write what it got, in milliseconds from its last
 * renewal: as long as the exchange, and two thirds more.
 */
export const writeMsFor = (exchangeMs: number): number => Math.ceil((exchangeMs * 5) / 3);

interface Run {
  readonly outcome: Promise<
    RefreshOutcome | { readonly kind: 'busy'; readonly decidedInMs: number }
  >;
  /** When its outcome is known at the latest, by this process' own clock. */
  decidedAt: number;
}

/** Makes the refresh; `exchangeMs` is the deadline of one exchange. */
export const createRefresh = (parts: {
  auth0: Auth0;
  sessions: Sessions;
  store: Store;
  background: Background;
  log: Log;
  metrics: Metrics;
  leewayMs: number;
  exchangeMs: number;
}): Refresh => {
  const { sessions, store, background, log, leewayMs, exchangeMs } = parts;
  const terms: LeaseTerms = { leaseMs, leewayMs, writeMs: writeMsFor(exchangeMs) };
  const rotate = createRotate({ ...parts, terms });
  // By entry and generation: only requests of the same session, as it stands, are joined.
  const running = new Map<string, Run>();

  // The lease may have been granted and only its reply lost. Nobody will use it, so it is released,
  // or it would count as abandoned; twice, since what was sent over a connection that broke can be
  // done after what was sent over the next.
  const releaseUnused = async (session: Session, holder: Buffer): Promise<void> => {
    const until = performance.now() + terms.writeMs;
    let done = 0;
    while (done < 2 && performance.now() < until) {
      await store.release(session.key, holder, 0).then(
        () => (done += 1),
        () => undefined,
      );
      await sleep(releaseAgainMs);
    }
  };

  const abandoned = async (
    session: Session,
    agoMs: number,
    final: boolean,
  ): Promise<RefreshOutcome> => {
    if (!final || !(await sessions.abandon(session, terms))) {
      return { kind: 'temporary', retryAfterSeconds: 1 };
    }
    log.warn(
      { event: 'refresh_lost', ms: agoMs },
      'a refresh was begun and never finished; its token is not spent again',
    );
    return { kind: 'ended' };
  };

  const attempt = async (
    run: Run,
    session: Session,
    ask: RefreshAsk,
  ): Promise<Awaited<Run['outcome']>> => {
    const until = performance.now() + ask.otherMs;
    const holder = randomBytes(8);
    let looked = false;
    for (;;) {
      const lease = await store
        .lease(session.key, session.generation, holder, terms)
        .catch((failure: unknown) => {
          void background.track(releaseUnused(session, holder));
          throw failure;
        });
      if (lease.kind === 'acquired') {
        run.decidedAt = performance.now() + exchangeMs;
        return rotate(session, holder, ask.scope);
      }
      if (lease.kind === 'superseded') {
        return sessions.adopt(session, lease.found) ? { kind: 'renewed' } : { kind: 'ended' };
      }
      if (lease.kind === 'gone') return { kind: 'ended' };
      const left = until - performance.now();
      if (lease.kind === 'abandoned') {
        if (looked || left <= 0) return abandoned(session, lease.agoMs, ask.final && looked);
        // A clock that jumped makes a lease look older than it is; a holder that is alive renews it
        // within this time.
        looked = true;
        await sleep(leaseMs / 2);
        continue;
      }
      const decidedInMs =
        lease.sinceMs === undefined
          ? lease.waitMs
          : Math.max(lease.waitMs, exchangeMs - lease.sinceMs);
      if (left <= 0) return { kind: 'busy', decidedInMs };
      run.decidedAt = performance.now() + decidedInMs;
      await sleep(Math.min(lookMs, left, lease.waitMs));
    }
  };

  const begin = (name: string, session: Session, ask: RefreshAsk): Run => {
    const run: { outcome?: Run['outcome']; decidedAt: number } = { decidedAt: performance.now() };
    const outcome = attempt(run as Run, session, ask).finally(() => running.delete(name));
    const begun = Object.assign(run, { outcome });
    running.set(name, begun);
    // Whoever asked may be gone when it fails.
    background.track(outcome).catch(() => undefined);
    return begun;
  };

  return async (session, ask) => {
    const name = `${session.key}.${session.generation}`;
    const began = performance.now();
    const secondsUntil = (at: number): number =>
      Math.max(1, Math.ceil((at - performance.now()) / 1000));
    for (;;) {
      const joined = running.get(name);
      const run = joined ?? begin(name, session, ask);
      const waiting = new AbortController();
      const left = Math.max(0, began + ask.ownMs - performance.now());
      const outcome = await Promise.race([
        run.outcome,
        sleep(left, undefined, { signal: waiting.signal }).catch(() => undefined),
      ]).finally(() => waiting.abort());
      if (outcome === undefined) {
        return { kind: 'temporary', retryAfterSeconds: secondsUntil(run.decidedAt) };
      }
      if (outcome.kind === 'busy') {
        // Whoever began it had less time to wait for another gateway.
        if (joined !== undefined && performance.now() - began < ask.otherMs) continue;
        return {
          kind: 'temporary',
          retryAfterSeconds: Math.max(1, Math.ceil(outcome.decidedInMs / 1000)),
        };
      }
      if (joined !== undefined && outcome.kind === 'renewed' && !(await sessions.renew(session))) {
        return { kind: 'ended' };
      }
      return outcome;
    }
  };
};
