import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRedis } from '../../src/gateway/redis/client.ts';
import { createEvents } from '../../src/gateway/session/events.ts';
import { createRedisStore } from '../../src/gateway/session/redis-store.ts';
import { createSeal } from '../../src/gateway/session/seal.ts';
import { createSessions } from '../../src/gateway/session/sessions.ts';
import { newTicket, readTicket } from '../../src/gateway/session/ticket.ts';
import type { Person } from '../helpers/person.ts';
import { startWorld, type World } from '../helpers/world.ts';

// The tenant's own logout tokens are caught on their way and handed over by hand, so each can be told when and as often as a test wants.
let world: World;
let catcher: Server;
let caught: string[];

beforeEach(async () => {
  caught = [];
  catcher = createServer((req, res) => {
    const parts: Buffer[] = [];
    req.on('data', (part: Buffer) => parts.push(part));
    req.on('end', () => {
      caught.push(Buffer.concat(parts).toString());
      res.end();
    });
  });
  await new Promise<void>((resolve) => catcher.listen(0, '127.0.0.1', resolve));
  world = await startWorld({ gateways: 2 });
  form('session');
});
afterEach(async () => {
  catcher.closeAllConnections();
  await new Promise((resolve) => catcher.close(resolve));
  await world.close();
});

const form = (named: 'session' | 'sub'): void => {
  const backchannel_logout_uri = `http://127.0.0.1:${(catcher.address() as AddressInfo).port}/`;
  world.tenant.configure({
    clients: world.tenant.settings().clients.map((client) => ({
      ...client,
      backchannel_logout_uri,
      backchannel_logout_form: named,
    })),
  });
};
/** The logout tokens of the user's sessions at the tenant, which end with it. */
const tokens = async (): Promise<string[]> => {
  caught = [];
  const body = JSON.stringify({ email: world.user.email });
  await fetch(`${world.tenant.url}/_control/logout`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  return caught;
};
const tell = async (token = ''): Promise<number> =>
  fetch(`${world.origin}/auth/backchannel-logout`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: token,
  }).then(({ status }) => status);
const signedIn = async (): Promise<Person> => {
  const person = world.person();
  await person.signIn();
  return person;
};
const profile = async (person: Person): Promise<number> =>
  (await person.call('GET', '/auth/profile')).status;

test('a sid ends its own session and no other of the user, once; told again on either gateway the token is refused', async () => {
  const [first, second] = [await signedIn(), await signedIn()];
  const [one, two] = await tokens();
  expect(await tell(one)).toBe(200);
  expect([await profile(first), await profile(second)].sort()).toEqual([200, 401]);
  expect([await tell(one), await tell(one)]).toEqual([400, 400]);
  expect(await tell(two)).toBe(200);
  expect([await profile(first), await profile(second)]).toEqual([401, 401]);
});

test('a sub alone ends all sessions of the user, and signing in again revives none', async () => {
  const [first, second] = [await signedIn(), await signedIn()];
  form('sub');
  const [one] = await tokens();
  const cookie = await first.jar.getCookieString(world.origin);
  expect(await tell(one)).toBe(200);
  expect([await profile(first), await profile(second)]).toEqual([401, 401]);
  await first.signIn();
  expect(await profile(first)).toBe(200);
  expect((await fetch(`${world.origin}/auth/profile`, { headers: { cookie } })).status).toBe(401);
});

test('a session that had ended here is told as done; one never known here is refused', async () => {
  const person = await signedIn();
  const { sessions } = (await person.call('GET', '/auth/sessions')).json() as {
    sessions: { id: string }[];
  };
  expect((await person.call('DELETE', `/auth/sessions/${sessions[0]?.id ?? ''}`)).status).toBe(204);
  expect(await tell((await tokens())[0])).toBe(200);
  // As after every logout from here: the way leads on to Auth0, which tells its applications, this one too.
  await person.signIn();
  expect((await person.call('POST', '/auth/logout')).status).toBe(200);
  expect(await tell((await tokens())[0])).toBe(200);
  await person.signIn();
  await world.redis?.stop();
  await world.redis?.start();
  expect(await tell((await tokens())[0])).toBeGreaterThanOrEqual(400);
  for (let i = 0; i < 600 && (await fetch(`${world.origin}/readyz`)).status !== 200; i += 1)
    await new Promise((go) => setTimeout(go, 100));
  await person.signIn();
  const [known] = await tokens();
  await world.redis?.stop();
  await world.redis?.start();
  let status = 503;
  for (let i = 0; i < 600 && status === 503; i += 1) {
    await new Promise((go) => setTimeout(go, 100));
    status = await tell(known);
  }
  expect(status).toBe(400);
});

test('while Redis is away nothing is accepted, and what was refused is never half accepted', async () => {
  const person = await signedIn();
  const [token] = await tokens();
  world.redis?.freeze();
  expect(await tell(token)).toBe(503);
  world.redis?.thaw();
  let status = 503;
  for (let i = 0; i < 600 && status === 503; i += 1) {
    await new Promise((go) => setTimeout(go, 100));
    status = await tell(token);
  }
  // A token counts as used when its sessions have ended, not when it was first seen.
  expect(status).toBe(200);
  expect(await profile(person)).toBe(401);
});

test.each([
  ['before a session is found', 'sub', ['hgetall', 'zrange']],
  ['before a session has ended', 'sub', ['evalsha', 'eval']],
  ['before a session named by its sid has ended', 'session', ['evalsha', 'eval']],
  ['when all have ended and the list is to be cleared', 'sub', ['hdel']],
  ['when all have ended and the token is to be marked', 'sub', ['set']],
] as const)(
  'a logout that breaks off %s is refused, and done when it is told again; then never more',
  async (_when, named, commands) => {
    const person = await signedIn();
    form(named);
    const [token] = await tokens();
    const admin = createRedis(
      { url: world.redis?.url ?? '', keyPrefix: '' },
      { info: () => undefined, warn: () => undefined },
    );
    try {
      await admin.command('ACL', 'SETUSER', 'default', ...commands.map((command) => `-${command}`));
      expect([await tell(token), await tell(token)]).toEqual([503, 503]);
      await admin.command('ACL', 'SETUSER', 'default', ...commands.map((command) => `+${command}`));
    } finally {
      await admin.close();
    }
    expect(await tell(token)).toBe(200);
    expect(await profile(person)).toBe(401);
    await person.signIn();
    expect([await tell(token), await tell(token)]).toEqual([400, 400]);
    expect(await profile(person)).toBe(200);
  },
);

test('a token told ten times at once counts once', async () => {
  await signedIn();
  const [token] = await tokens();
  const statuses = await Promise.all(Array.from({ length: 10 }, async () => tell(token)));
  expect(statuses.sort()).toEqual([200, ...Array.from({ length: 9 }, () => 400)]);
});

test('a user with a thousand sessions is signed out of all of them, and nobody else of any', async () => {
  const person = await signedIn();
  const { sub } = (await person.call('GET', '/auth/profile')).json() as { sub: string };
  const redis = createRedis(
    { url: world.redis?.url ?? '' },
    { info: () => undefined, warn: () => undefined },
  );
  try {
    const store = createRedisStore(redis);
    const sessions = createSessions({
      store,
      seal: createSeal([world.serverSecret], 'session'),
      listSeal: createSeal([world.serverSecret], 'session list'),
      issuer: world.tenant.issuer,
      idleMs: 600_000,
      absoluteMs: 600_000,
      events: createEvents(),
    });
    const begin = async (of: string): Promise<string> => {
      const cookie = newTicket();
      await sessions.begin(cookie, () => ({ sub: of, idToken: 'a.b.c', tokens: [] }), {});
      return cookie;
    };
    const alive = async (cookies: string[]): Promise<number> =>
      (
        await Promise.all(cookies.map(async (cookie) => sessions.find(readTicket(cookie), false)))
      ).filter((each) => each !== undefined).length;
    const theirs = await Promise.all(Array.from({ length: 1_000 }, async () => begin(sub)));
    const others = await Promise.all(
      Array.from({ length: 100 }, async (_, i) => begin(`auth0|other-${String(i)}`)),
    );
    form('sub');
    const [token] = await tokens();
    expect(await tell(token)).toBe(200);
    expect([await alive(theirs), await alive(others), await profile(person)]).toEqual([
      0, 100, 401,
    ]);
  } finally {
    await redis.close();
  }
});
