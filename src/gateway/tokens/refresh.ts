import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Auth0 } from '../auth0/auth0.ts';
import type { RefreshGrant } from '../auth0/grant.ts';
import { Failure } from '../http/errors.ts';
import type { Log } from '../http/log.ts';
import type { Metrics } from '../http/metrics.ts';
import type { SessionRecord } from '../session/record.ts';
import type { Session, Sessions } from '../session/sessions.ts';
import type { Store } from '../session/store.ts';
import { readSessionKey } from './dpop.ts';
import { grantedToken } from './granted.ts';

/** What became of a refresh; `unchanged` when another gateway is at it and did not finish in the time given. */
export type RefreshOutcome =
  | { readonly kind: 'renewed' }
  | { readonly kind: 'step_up'; readonly reason: string }
  | { readonly kind: 'ended' }
  | { readonly kind: 'passing'; readonly retryAfterSeconds: number }
  | { readonly kind: 'lost' };

/** Spends a session's refresh token once, whoever asks and on however many gateways; never throws but for the store. */
export type Refresh = (session: Session, ask: { readonly scope?: readonly string[]; readonly waitMs: number }) => Promise<RefreshOutcome>;

const leaseMs = 5_000;
const pauseMs = 1_000;
// However long a 429 asks to wait: a try of its own every half minute is no load, and the endpoint may be well long before.
const longestPauseMs = 30_000;
const lookMs = 40;
const writeForMs = 20_000;

/** Makes the refresh: lease, exchange, write, in that order, run to its end however the browser behaves. */
export const createRefresh = (parts: {
  auth0: Auth0;
  sessions: Sessions;
  store: Store;
  log: Log;
  metrics: Metrics;
  leewayMs: number;
}): Refresh => {
  const { auth0, sessions, store, log, metrics, leewayMs } = parts;
  // By entry and generation, and never longer than one exchange: what is joined is the same session's same question.
  const running = new Map<string, Promise<RefreshOutcome>>();

  const changed = (record: SessionRecord, grant: RefreshGrant, now: number): SessionRecord | undefined => {
    const token = grantedToken(grant, auth0.audience, now, record.dpop !== undefined);
    // OpenID Connect Core 12.2: another subject is another user. The tenant answers for an audience it does not know with a token for another.
    if (token === undefined || (grant.sub !== undefined && grant.sub !== record.sub)) return undefined;
    return {
      ...record,
      refreshToken: grant.refreshToken ?? record.refreshToken,
      idToken: grant.idToken ?? record.idToken,
      tokens: [...record.tokens.filter(({ audience }) => audience !== token.audience), token],
    };
  };

  // The old refresh token is spent: whatever happens to Redis now, the new one must get there. An attempt without an answer may have been
  // done all the same; then the next one finds its own record there, which is success.
  const write = async (session: Session, record: SessionRecord, holder: Buffer): Promise<'replaced' | 'stale' | 'gone'> => {
    const until = performance.now() + writeForMs;
    for (let unsure = false; ; unsure = true) {
      try {
        const outcome = await sessions.write(session, record, holder);
        if (outcome !== 'stale' || !unsure) return outcome;
        const mine =
          (await sessions.renew(session)) &&
          session.record.tokens.some(({ value }) => record.tokens.some((token) => token.value === value));
        return mine ? 'replaced' : 'stale';
      } catch (failure) {
        if (!(failure instanceof Failure) || performance.now() > until) throw failure;
        await sleep(lookMs * 5);
      }
    }
  };

  const exchange = async (session: Session, holder: Buffer, scope: readonly string[] | undefined): Promise<RefreshOutcome> => {
    const { record } = session;
    if (record.refreshToken === undefined) return { kind: 'ended' };
    const alive = setInterval(() => void store.renew(session.key, holder, leaseMs).catch(() => undefined), leaseMs / 3);
    try {
      const key = record.dpop && (await readSessionKey(record.dpop));
      const answer = await auth0.refresh(record.refreshToken, { scope }, key);
      metrics.tokenRefreshes.inc({ outcome: answer.kind });
      if (answer.kind === 'renewed') {
        const next = changed(record, answer.grant, session.now());
        if (next === undefined) {
          log.error(
            { event: 'refresh_refused', reason: 'another user, audience or binding' },
            'a refresh answered with what was not asked for',
          );
          await sessions.end(session);
          return { kind: 'ended' };
        }
        if ((await write(session, next, holder)) === 'replaced') return { kind: 'renewed' };
        // The session ended while Auth0 answered: the new token must not outlive it.
        await auth0.revoke(answer.grant.refreshToken ?? record.refreshToken).catch(() => undefined);
        return { kind: 'ended' };
      }
      log.info({ event: 'refresh_failed', outcome: answer.kind, reason: answer.reason }, 'a refresh did not succeed');
      if (answer.kind === 'dead') {
        await sessions.end(session);
        return { kind: 'ended' };
      }
      const wait = answer.kind === 'passing' ? Math.min(longestPauseMs, Math.max(pauseMs, (answer.retryAfterSeconds ?? 0) * 1000)) : 0;
      await store.settle(session.key, holder, wait);
      return answer.kind === 'step_up' ? answer : { kind: 'passing', retryAfterSeconds: Math.ceil(wait / 1000) };
    } finally {
      clearInterval(alive);
    }
  };

  // The lease may have been granted and only its answer lost. Nobody will spend it, so it goes back, or the session would be taken for lost;
  // twice, since what was sent over a connection that broke can be done after what was sent over the next.
  const giveBack = async (session: Session, holder: Buffer): Promise<void> => {
    const until = performance.now() + writeForMs;
    let done = 0;
    while (done < 2 && performance.now() < until) {
      await store.settle(session.key, holder, 0).then(
        () => (done += 1),
        () => undefined,
      );
      await sleep(lookMs * 10);
    }
  };

  const attempt = async (session: Session, scope: readonly string[] | undefined, waitMs: number): Promise<RefreshOutcome> => {
    const until = performance.now() + waitMs;
    const holder = randomBytes(8);
    for (;;) {
      const lease = await store.lease(session.key, session.generation, holder, leaseMs, leewayMs).catch((failure: unknown) => {
        void giveBack(session, holder);
        throw failure;
      });
      if (lease.kind === 'yours') return exchange(session, holder, scope);
      if (lease.kind === 'newer') return sessions.adopt(session, lease.found) ? { kind: 'renewed' } : { kind: 'ended' };
      if (lease.kind === 'gone') return { kind: 'ended' };
      if (lease.kind === 'lost') {
        log.warn({ event: 'refresh_lost', ms: lease.agoMs }, 'a refresh was begun and never finished; its token is not spent again');
        return { kind: 'lost' };
      }
      const left = until - performance.now();
      if (left <= 0) return { kind: 'passing', retryAfterSeconds: Math.max(1, Math.ceil(lease.waitMs / 1000)) };
      await sleep(Math.min(lookMs, left, lease.waitMs));
    }
  };

  return async (session, { scope, waitMs }) => {
    const name = `${session.key}.${session.generation}`;
    const joined = running.get(name);
    if (joined !== undefined) {
      const outcome = await joined;
      return outcome.kind === 'renewed' && !(await sessions.renew(session)) ? { kind: 'ended' } : outcome;
    }
    const run = attempt(session, scope, waitMs).finally(() => running.delete(name));
    running.set(name, run);
    return run;
  };
};
