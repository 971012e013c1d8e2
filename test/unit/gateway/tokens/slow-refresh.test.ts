import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Auth0 } from '../../../../src/gateway/auth0/auth0.ts';
import type { RefreshResult } from '../../../../src/gateway/auth0/grant.ts';
import { createBackground } from '../../../../src/gateway/http/background.ts';
import { createLog } from '../../../../src/gateway/http/log.ts';
import { createMetrics } from '../../../../src/gateway/http/metrics.ts';
import { createEvents } from '../../../../src/gateway/session/events.ts';
import { createMemoryStore } from '../../../../src/gateway/session/memory-store.ts';
import type { SessionRecord } from '../../../../src/gateway/session/record.ts';
import { createSeal } from '../../../../src/gateway/session/seal.ts';
import { createSessions, type Session } from '../../../../src/gateway/session/sessions.ts';
import type { Store } from '../../../../src/gateway/session/store.ts';
import { newTicket, readTicket } from '../../../../src/gateway/session/ticket.ts';
import {
  createAccessTokens,
  type AccessTokens,
} from '../../../../src/gateway/tokens/access-token.ts';
import { createRefresh } from '../../../../src/gateway/tokens/refresh.ts';

const audience = 'https://t.example/me/';
const scope = 'read:me:factors';

/** One gateway over a shared store; its tenant answers when it is told to. */
interface Gateway {
  readonly accessTokens: AccessTokens;
  find(): Promise<Session>;
  readonly spent: string[];
  answer(refreshed: RefreshResult): void;
}

let clock: number;
let store: Store;
let cookie: string;
let one: Gateway;
let other: Gateway;
const settled: (() => Promise<boolean>)[] = [];

const gateway = (): Gateway => {
  const spent: string[] = [];
  const waiting: ((refreshed: RefreshResult) => void)[] = [];
  const auth0 = {
    audience,
    skewSeconds: () => 0,
    refresh: async (token: string) => {
      spent.push(token);
      return new Promise<RefreshResult>((resolve) => waiting.push(resolve));
    },
    revoke: async () => Promise.resolve(),
  } as Partial<Auth0> as Auth0;
  const [log, metrics, background] = [
    createLog({ level: 'silent' }),
    createMetrics(),
    createBackground(),
  ];
  settled.push(async () => background.settled(10_000));
  const secrets = ['s'.repeat(32)];
  const sessions = createSessions({
    ...{
      store,
      issuer: 'https://t.example/',
      idleMs: 9_000_000,
      absoluteMs: 9_000_000,
      events: createEvents(),
    },
    seal: createSeal(secrets, 'session'),
    listSeal: createSeal(secrets, 'session list'),
  });
  const refresh = createRefresh({
    auth0,
    sessions,
    store,
    background,
    log,
    metrics,
    leewayMs: 0,
    exchangeMs: 30_000,
  });
  return {
    accessTokens: createAccessTokens({ auth0, sessions, refresh, silentScope: [] }),
    async find() {
      const session = await sessions.find(readTicket(cookie), true);
      if (session === undefined) throw new Error('the session is gone');
      return session;
    },
    spent,
    answer(refreshed) {
      for (const resolve of waiting.splice(0)) resolve(refreshed);
    },
  };
};

const granted = (accessToken: string): RefreshResult => ({
  kind: 'renewed',
  grant: {
    accessToken,
    refreshToken: 'second',
    tokenType: 'Bearer',
    expiresIn: 600,
    audience: [audience],
    scope: [scope],
  },
});
const bearer = async (at: Gateway): Promise<string> => {
  const token = await at.accessTokens.token(await at.find());
  return token.kind === 'usable'
    ? ((await token.headers('GET', audience))['authorization'] ?? '')
    : token.kind;
};

beforeEach(async () => {
  clock = 1_000_000_000;
  store = createMemoryStore(() => clock);
  [one, other] = [gateway(), gateway()];
  cookie = newTicket();
  const record: SessionRecord = {
    sub: 'auth0|1',
    idToken: 'a.b.c',
    refreshToken: 'first',
    tokens: [
      {
        audience,
        scope: [scope],
        value: 'old',
        expiresAt: clock + 60_000,
        renewAt: clock + 50_000,
      },
    ],
  };
  const sessions = createSessions({
    ...{
      store,
      issuer: 'https://t.example/',
      idleMs: 9_000_000,
      absoluteMs: 9_000_000,
      events: createEvents(),
    },
    seal: createSeal(['s'.repeat(32)], 'session'),
    listSeal: createSeal(['s'.repeat(32)], 'session list'),
  });
  await sessions.begin(cookie, () => record, {});
  clock += 51_000;
});
afterEach(async () => {
  for (const each of [one, other]) each.answer({ kind: 'step_up', reason: 'the test is over' });
  for (const done of settled.splice(0)) await done();
  store.close();
});

test('while the endpoint is slow the old token is used as long as it is good, on every gateway, and the new one is spent once', async () => {
  expect(await Promise.all([bearer(one), bearer(one)])).toEqual(['Bearer old', 'Bearer old']);
  expect(await bearer(other)).toBe('Bearer old');
  expect([one.spent, other.spent]).toEqual([['first'], []]);
  one.answer(granted('new'));
  await settled[0]?.();
  expect(await bearer(one)).toBe('Bearer new');
  expect(await bearer(other)).toBe('Bearer new');
  expect([one.spent, other.spent]).toEqual([['first'], []]);
});

test('when the old token is over meanwhile, whoever asks is told when it will be decided, and finds it decided then', async () => {
  expect(await bearer(one)).toBe('Bearer old');
  clock += 9_000;
  const [own, others] = await Promise.all(
    [one, other].map(async (at) => at.accessTokens.token(await at.find())),
  );
  expect(own).toMatchObject({ kind: 'temporary' });
  expect(others).toMatchObject({ kind: 'temporary' });
  // Of the thirty seconds one has passed by this process' clock, and nine by the store's.
  for (const each of [own, others]) {
    const seconds = each?.kind === 'temporary' ? each.retryAfterSeconds : 0;
    expect(seconds).toBeGreaterThanOrEqual(15);
    expect(seconds).toBeLessThanOrEqual(30);
  }
  one.answer(granted('new'));
  await settled[0]?.();
  expect(await bearer(other)).toBe('Bearer new');
  expect([one.spent, other.spent]).toEqual([['first'], []]);
});

test('an answer so late that its token is over is not used: the refresh token that came with it is spent for another', async () => {
  clock += 9_000;
  const asked = bearer(one);
  while (one.spent.length === 0) await new Promise((resolve) => setImmediate(resolve));
  one.answer({ kind: 'renewed', grant: { ...renewedGrant, expiresIn: 0 } });
  while (one.spent.length === 1) await new Promise((resolve) => setImmediate(resolve));
  one.answer(granted('newest'));
  expect(await asked).toBe('Bearer newest');
  expect(one.spent).toEqual(['first', 'second']);
});

const renewedGrant = (granted('late') as Extract<RefreshResult, { kind: 'renewed' }>).grant;
