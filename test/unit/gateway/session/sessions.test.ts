import { afterEach, describe, expect, test } from '@jest/globals';
import { inspect } from 'node:util';
import {
  decodeRecord,
  encodeRecord,
  type SessionRecord,
} from '../../../../src/gateway/session/record.ts';
import { createEvents } from '../../../../src/gateway/session/events.ts';
import { packScopes, unpackScopes } from '../../../../src/gateway/session/scope-codes.ts';
import { createSeal } from '../../../../src/gateway/session/seal.ts';
import { createUserSessions } from '../../../../src/gateway/session/user-sessions.ts';
import { createSessions } from '../../../../src/gateway/session/sessions.ts';
import { createMemoryStore } from '../../../../src/gateway/session/memory-store.ts';
import { newTicket, readTicket } from '../../../../src/gateway/session/ticket.ts';
import { deviceName } from '../../../../src/gateway/session/device.ts';

const jwt = `${Buffer.from('{"alg":"RS256"}').toString('base64url')}.${Buffer.from('{"sub":"auth0|1"}').toString('base64url')}.c2lnbmF0dXJl`;
const record: SessionRecord = {
  sub: 'auth0|507f1f77bcf86cd799439011',
  sid: 'a-session-of-auth0',
  authTime: 1_700_000_000,
  idToken: jwt,
  refreshToken: 'v1.refresh-token_of-no-particular-form',
  tokens: [
    {
      audience: 'https://t.example/me/',
      scope: ['read:me:factors', 'openid'],
      value: jwt,
      expiresAt: 1_700_000_060_000,
      renewAt: 1_700_000_050_000,
    },
  ],
  steppedUpAt: 1_700_000_000_123,
  denied: ['delete:me:authentication_methods'],
  vault: Buffer.alloc(32, 1).toString('base64url'),
};
const [old, newer] = ['o'.repeat(32), 'n'.repeat(32)];
const store = createMemoryStore();
afterEach(() => store.close());

const sessionsWith = (secrets: string[], revoke?: Parameters<typeof createSessions>[0]['revoke']) =>
  createSessions({
    ...(revoke && { revoke }),
    store,
    seal: createSeal(secrets, 'session'),
    listSeal: createSeal(secrets, 'session list'),
    issuer: 'https://t.example/',
    idleMs: 60_000,
    absoluteMs: 120_000,
    events: createEvents(),
  });

describe('a record', () => {
  test('survives being written and read, byte for byte', () => {
    expect(decodeRecord(encodeRecord(record))).toEqual(record);
  });
  test('keeps tokens that are no JWTs, and absent facts, as they are', () => {
    const bare: SessionRecord = { sub: 's', idToken: 'not.a.jwt!', tokens: [] };
    expect(decodeRecord(encodeRecord(bare))).toMatchObject({
      sub: 's',
      idToken: 'not.a.jwt!',
      tokens: [],
    });
    expect(
      decodeRecord(encodeRecord({ ...record, idToken: 'a.b.c', refreshToken: 'x..y' })),
    ).toMatchObject({
      idToken: 'a.b.c',
      refreshToken: 'x..y',
    });
  });
});

test('scopes come back in their order, common and uncommon, one letter long or not', () => {
  const scopes = [
    'openid',
    'x',
    'A',
    'own:scope',
    'read:me:factors',
    'B',
    'email',
    'offline_access',
    '=',
    '=A',
  ];
  expect(unpackScopes(packScopes(scopes))).toEqual(scopes);
  expect(unpackScopes(packScopes([]))).toEqual([]);
});

describe('a session', () => {
  test('is found by its cookie and no other', async () => {
    const sessions = sessionsWith([old]);
    const cookie = newTicket();
    await sessions.begin(cookie, () => record, {});
    expect((await sessions.find(readTicket(cookie), true))?.record).toEqual(record);
    expect(await sessions.find(readTicket(newTicket()), true)).toBeUndefined();
  });

  test('is not opened by its id alone: the same id with another secret opens nothing', async () => {
    const sessions = sessionsWith([old]);
    const cookie = newTicket();
    await sessions.begin(cookie, () => record, {});
    const bytes = Buffer.from(cookie, 'base64url');
    bytes.writeUInt8(bytes.readUInt8(20) ^ 1, 20);
    const forged = bytes.toString('base64url');
    expect(readTicket(forged)?.key).toBe(readTicket(cookie)?.key);
    expect(await sessions.find(readTicket(forged), true)).toBeUndefined();
  });

  test('is not opened with the secret of the cookie when the secret of the server is another', async () => {
    const cookie = newTicket();
    await sessionsWith([old]).begin(cookie, () => record, {});
    expect(await sessionsWith([newer]).find(readTicket(cookie), true)).toBeUndefined();
  });

  test('survives the rotation of the server secret', async () => {
    const cookie = newTicket();
    await sessionsWith([old]).begin(cookie, () => record, {});
    expect((await sessionsWith([newer, old]).find(readTicket(cookie), true))?.record).toEqual(
      record,
    );
  });

  test('stands in the store without a readable byte of its tokens, subject or cookie', async () => {
    const cookie = newTicket();
    await sessionsWith([old]).begin(cookie, () => record, { device: 'Firefox on Windows' });
    const kept = (await store.read(readTicket(cookie)?.key ?? ''))?.entry.sealed ?? Buffer.alloc(0);
    for (const secret of [jwt.slice(0, 12), 'refresh-token', 'auth0|507', 'read:me'])
      expect(kept.includes(secret)).toBe(false);
    expect(readTicket(cookie)?.key).not.toContain(cookie.slice(0, 8));
  });

  test('changed by two at once takes the first change and refuses the second', async () => {
    const sessions = sessionsWith([old]);
    const cookie = newTicket();
    await sessions.begin(cookie, () => record, {});
    const [a, b] = [
      await sessions.find(readTicket(cookie), true),
      await sessions.find(readTicket(cookie), true),
    ];
    if (!a || !b) throw new Error('no session');
    expect(await sessions.write(a, { ...record, refreshToken: 'first' })).toBe('replaced');
    expect(await sessions.write(b, { ...record, refreshToken: 'second' })).toBe('stale');
    expect((await sessions.find(readTicket(cookie), true))?.record.refreshToken).toBe('first');
  });

  test('that ended stays ended, whatever a request still in flight writes', async () => {
    const sessions = sessionsWith([old]);
    const cookie = newTicket();
    await sessions.begin(cookie, () => record, {});
    const inFlight = await sessions.find(readTicket(cookie), true);
    if (!inFlight) throw new Error('no session');
    expect(await sessions.end(inFlight)).toBe(true);
    expect(await sessions.write(inFlight, { ...record, refreshToken: 'revived' })).toBe('gone');
    expect(await sessions.find(readTicket(cookie), true)).toBeUndefined();
  });

  test('shows nothing of itself when it is printed or serialised', async () => {
    const session = await sessionsWith([old]).begin(newTicket(), () => record, {});
    expect(inspect(session, { depth: 9 }) + JSON.stringify({ session })).not.toMatch(
      /auth0|refresh|eyJ/,
    );
  });

  test('refuses cookie values that have not the form of one', async () => {
    const sessions = sessionsWith([old]);
    for (const value of [
      '',
      'x',
      'a'.repeat(63),
      'a'.repeat(65),
      `${'a'.repeat(63)}!`,
      '\u0000'.repeat(64),
    ]) {
      expect(await sessions.find(readTicket(value), true)).toBeUndefined();
    }
  });
});

describe("the user's sessions", () => {
  const list = createUserSessions({
    store,
    listSeal: createSeal([old], 'session list'),
    issuer: 'https://t.example/',
    idleMs: 60_000,
    events: createEvents(),
  });
  const sessions = sessionsWith([old]);
  const begin = async (sub: string, sid: string, device = 'Firefox on Windows') => {
    const cookie = newTicket();
    return {
      cookie,
      session: await sessions.begin(cookie, () => ({ ...record, sub, sid }), { device }),
    };
  };

  test('show the device and leave out what has ended', async () => {
    const [one, two] = [await begin('u1', 's1'), await begin('u1', 's2', 'Chrome on macOS')];
    await sessions.end(one.session);
    const rows = await list.of(two.session.user);
    expect(rows.map(({ id, device }) => [id, device])).toEqual([
      [two.session.key, 'Chrome on macOS'],
    ]);
  });

  test('end by one of the same user only', async () => {
    const [mine, theirs] = [await begin('u2', 's3'), await begin('u3', 's4')];
    expect(await list.endOne(mine.session.user, theirs.session.key)).toBe(false);
    expect(await sessions.find(readTicket(theirs.cookie), false)).toBeDefined();
    expect(await list.endOne(theirs.session.user, theirs.session.key)).toBe(true);
    expect(await sessions.find(readTicket(theirs.cookie), false)).toBeUndefined();
  });

  test('end all but one', async () => {
    const [keep, other, third] = [
      await begin('u4', 's5'),
      await begin('u4', 's6'),
      await begin('u4', 's7'),
    ];
    expect(await list.endOthers(keep.session.user, keep.session.key)).toBe(2);
    expect(await sessions.find(readTicket(keep.cookie), false)).toBeDefined();
    for (const { cookie } of [other, third])
      expect(await sessions.find(readTicket(cookie), false)).toBeUndefined();
  });

  test('end by the sid Auth0 names; known even when it had ended, unknown when it never was', async () => {
    const { cookie } = await begin('u5', 's8');
    expect(await list.endNamed({ sid: 's8' })).toEqual({ known: true, ended: 1 });
    expect(await sessions.find(readTicket(cookie), false)).toBeUndefined();
    expect(await list.endNamed({ sid: 's8', sub: 'u5' })).toEqual({ known: true, ended: 0 });
    expect(await list.endNamed({ sid: 'never' })).toEqual({ known: false, ended: 0 });
  });

  test('end by the subject, all of them, and a later sign-in does not revive them', async () => {
    const before = [await begin('u6', 's9'), await begin('u6', 's10')];
    expect((await list.endNamed({ sub: 'u6' })).ended).toBe(2);
    const after = await begin('u6', 's11');
    for (const { cookie } of before)
      expect(await sessions.find(readTicket(cookie), false)).toBeUndefined();
    expect(await sessions.find(readTicket(after.cookie), false)).toBeDefined();
  });
});

describe('a session ended from elsewhere', () => {
  const listSeal = createSeal([old], 'session list');
  const list = createUserSessions({
    store,
    listSeal,
    issuer: 'https://t.example/',
    idleMs: 60_000,
    events: createEvents(),
  });
  const left: string[] = [];
  const sessions = sessionsWith([old], ({ record: { refreshToken = '' } }) =>
    left.push(refreshToken),
  );
  const begin = async (refreshToken: string) => {
    const cookie = newTicket();
    return {
      cookie,
      session: await sessions.begin(
        cookie,
        () => ({ ...record, sub: refreshToken, refreshToken }),
        {},
      ),
    };
  };
  const settled = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  test('hands on what it held when its cookie comes back, once, the last that was written', async () => {
    const { cookie, session } = await begin('t1');
    await sessions.write(session, { ...session.record, refreshToken: 't1, renewed' });
    await list.endOthers(session.user);
    await settled();
    expect(left).toEqual([]);
    expect(await sessions.find(readTicket(cookie), true)).toBeUndefined();
    expect(await sessions.find(readTicket(cookie), true)).toBeUndefined();
    await settled();
    expect(left.splice(0)).toEqual(['t1, renewed']);
  });

  test('hands it on at once where somebody holds it open, and never revives', async () => {
    const { cookie, session } = await begin('t2');
    await list.endOthers(session.user);
    sessions.ended(session);
    sessions.ended(session);
    await settled();
    expect(left.splice(0)).toEqual(['t2']);
    expect(await sessions.write(session, record)).toBe('gone');
    expect(await sessions.renew(session)).toBe(false);
    expect(await sessions.find(readTicket(cookie), true)).toBeUndefined();
  });

  test('keeps it from whoever has the id without the secret', async () => {
    const { cookie, session } = await begin('t3');
    await list.endOthers(session.user);
    const bytes = Buffer.from(cookie, 'base64url');
    bytes.writeUInt8(bytes.readUInt8(20) ^ 1, 20);
    expect(await sessions.find(readTicket(bytes.toString('base64url')), true)).toBeUndefined();
    await settled();
    expect(left).toEqual([]);
  });

  test('while its sign-in is under way never begins, and its new token is handed on', async () => {
    const { session } = await begin('t4');
    const cookie = newTicket();
    // What a logout from Auth0 does that comes when the session is listed and not yet written.
    await store.tombstone(readTicket(cookie)?.key ?? '', 60_000);
    const beginning = sessions.begin(
      cookie,
      () => ({ ...session.record, refreshToken: 't4, second' }),
      {},
    );
    await expect(beginning).rejects.toMatchObject({
      code: 'login_failed',
      members: { loginUrl: '/auth/login' },
    });
    expect(left.splice(0)).toEqual(['t4, second']);
    expect(await sessions.find(readTicket(cookie), true)).toBeUndefined();
  });
});

test('a user agent is told in a few known words, never in its own', () => {
  expect(
    deviceName('Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0'),
  ).toBe('Firefox on Windows');
  expect(
    deviceName(
      'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Mobile Safari/604.1',
    ),
  ).toBe('Safari on iPhone');
  expect(deviceName('<script>alert(1)</script>')).toBe('unknown device');
  expect(deviceName(undefined)).toBe('unknown device');
});
