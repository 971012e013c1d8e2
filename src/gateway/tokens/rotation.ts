import { setTimeout as sleep } from 'node:timers/promises';
import type { Auth0 } from '../auth0/auth0.ts';
import type { RefreshGrant } from '../auth0/grant.ts';
import { Failure } from '../http/errors.ts';
import type { Log } from '../http/log.ts';
import type { Metrics } from '../http/metrics.ts';
import type { SessionRecord } from '../session/record.ts';
import type { Session, Sessions } from '../session/sessions.ts';
import type { LeaseTerms, Replaced, Store } from '../session/store.ts';
import { readSessionKey } from './dpop.ts';
import { grantedToken } from './granted.ts';

/** The outcome of a refresh; `temporary` when it may be asked for again after so many seconds. */
export type RefreshOutcome =
  | { readonly kind: 'renewed' }
  | { readonly kind: 'step_up'; readonly reason: string }
  | { readonly kind: 'ended' }
  | { readonly kind: 'temporary'; readonly retryAfterSeconds: number };

/**
 * Spends the refresh token of a session whose lease is held, and writes what came back; the lease
 * is kept until both are done, or can be done no more. Throws only what the store throws.
 */
export type Rotate = (
  session: Session,
  holder: Buffer,
  scope: readonly string[] | undefined,
) => Promise<RefreshOutcome>;

const pauseMs = 1_000;
// However long a 429 asks to wait: a try of its own every half minute is no load, and the endpoint
// may be well long before.
const longestPauseMs = 30_000;
const writeAgainMs = 200;

/** Makes it; `terms` say how long a lease holds and an answer may be written. */
export const createRotate = (parts: {
  auth0: Auth0;
  sessions: Sessions;
  store: Store;
  log: Log;
  metrics: Metrics;
  terms: LeaseTerms;
}): Rotate => {
  const { auth0, sessions, store, log, metrics, terms } = parts;

  const changed = (
    record: SessionRecord,
    grant: RefreshGrant,
    now: number,
  ): SessionRecord | undefined => {
    const token = grantedToken(grant, auth0.audience, now, record.dpop !== undefined);
    // OpenID Connect Core 12.2: another subject is another user. The tenant answers for an audience
    // it does not know with a token for another.
    if (token === undefined || (grant.sub !== undefined && grant.sub !== record.sub)) {
      return undefined;
    }
    return {
      ...record,
      refreshToken: grant.refreshToken ?? record.refreshToken,
      idToken: grant.idToken ?? record.idToken,
      tokens: [...record.tokens.filter(({ audience }) => audience !== token.audience), token],
    };
  };

  // The old refresh token is spent: whatever happens to Redis now, the new one must get there. An
  // attempt without an answer may have been done all the same; whoever spends the same generation
  // now, since this process was away, comes first.
  const write = async (
    session: Session,
    record: SessionRecord,
    holder: Buffer,
    until: number,
  ): Promise<Replaced> => {
    for (;;) {
      const began = performance.now();
      try {
        const outcome = await sessions.write(session, record, holder);
        if (outcome !== 'held' || began > until) return outcome;
      } catch (failure) {
        // By when it began, not by now: a process that was stopped meanwhile tries once more.
        if (!(failure instanceof Failure) || began > until) throw failure;
      }
      await sleep(writeAgainMs);
    }
  };

  const keep = async (
    session: Session,
    record: SessionRecord,
    holder: Buffer,
    until: number,
  ): Promise<RefreshOutcome> => {
    const outcome = await write(session, record, holder, until);
    if (outcome === 'replaced') return { kind: 'renewed' };
    // Whoever was faster has written a token that is as good (its own, or this one by an attempt
    // whose answer was lost). A tenant may end both with the one that is revoked, so neither is.
    const { generation } = session;
    const stale = outcome === 'stale' || outcome === 'held';
    if (stale && (await sessions.renew(session))) {
      if (session.generation > generation) return { kind: 'renewed' };
      return { kind: 'temporary', retryAfterSeconds: 1 };
    }
    // The session ended while Auth0 answered: the new token must not outlive it. One that was
    // passed on to the same user's next session is left alone, which could end with it (see
    // revoke.ts).
    if (outcome !== 'passed_on' && record.refreshToken !== undefined) {
      await auth0.revoke(record.refreshToken).catch(() => undefined);
    }
    return { kind: 'ended' };
  };

  return async (session, holder, scope) => {
    const { record } = session;
    if (record.refreshToken === undefined) return { kind: 'ended' };
    const until = performance.now() + terms.writeMs;
    const alive = setInterval(() => {
      store.renew(session.key, holder, terms.leaseMs).catch(() => undefined);
    }, terms.leaseMs / 3);
    try {
      const key = record.dpop && (await readSessionKey(record.dpop));
      // A token lives from when it was made, and its answer may come late: a slow endpoint, or a
      // process that was stopped.
      const askedAt = session.now();
      const answer = await auth0.refresh(record.refreshToken, { scope }, key);
      metrics.tokenRefreshes.inc({ outcome: answer.kind });
      if (answer.kind === 'renewed') {
        const next = changed(record, answer.grant, askedAt);
        if (next !== undefined) return await keep(session, next, holder, until);
        log.error(
          { event: 'refresh_refused', reason: 'another user, audience or binding' },
          'a refresh answered with what was not asked for',
        );
        await sessions.end(session);
        return { kind: 'ended' };
      }
      log.info(
        { event: 'refresh_failed', outcome: answer.kind, reason: answer.reason },
        'a refresh did not succeed',
      );
      if (answer.kind === 'dead') return await died(session);
      const temporary = answer.kind === 'temporary';
      const asked = temporary ? (answer.retryAfterSeconds ?? 0) * 1000 : 0;
      const wait = temporary ? Math.min(longestPauseMs, Math.max(pauseMs, asked)) : 0;
      await store.release(session.key, holder, wait);
      if (answer.kind === 'step_up') return answer;
      return { kind: 'temporary', retryAfterSeconds: Math.ceil(wait / 1000) };
    } finally {
      clearInterval(alive);
    }
  };

  // Another gateway may have spent the token within the leeway and written what it got.
  async function died(session: Session): Promise<RefreshOutcome> {
    const { generation } = session;
    if ((await sessions.renew(session)) && session.generation > generation) {
      return { kind: 'renewed' };
    }
    await sessions.end(session);
    return { kind: 'ended' };
  }
};
