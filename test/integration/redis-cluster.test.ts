import { afterEach, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, type Person } from '../helpers/person.ts';
import { startCluster } from '../helpers/redis-lab.ts';
import { until } from '../helpers/until.ts';
import { startWorld, type World } from '../helpers/world.ts';

let world: World | undefined;
let lab: Awaited<ReturnType<typeof startCluster>> | undefined;
afterEach(async () => {
  await world?.close();
  await lab?.stop();
  world = undefined;
  lab = undefined;
});

const methods = '/api/me/v1/authentication-methods';
const roomy = {
  RATE_LIMIT_USER_READ: '10000',
  RATE_LIMIT_USER_FACTORS_READ: '10000',
  RATE_LIMIT_USER_WRITE: '10000',
  RATE_LIMIT_TENANT_READ: '10000',
  RATE_LIMIT_TENANT_FACTORS_READ: '10000',
};
const begin = async (
  replicas: boolean,
  settings: Record<string, string> = {},
  accessTokenSeconds = 86_400,
): Promise<World> => {
  lab = await startCluster({ replicas });
  world = await startWorld({
    gateways: 2,
    settings: { ...roomy, ...settings, REDIS_URL: lab.url },
    tenant: { limits: { enforced: false }, tokens: { accessTokenSeconds } },
  });
  const { gateways } = world;
  expect(
    await until(async () =>
      (await Promise.all(gateways.map(async ({ gateway }) => gateway.ready()))).every(Boolean),
    ),
  ).toBe(true);
  return world;
};

/** Follows the event stream of a page and answers what it has heard so far. */
const listen = async (
  { origin }: World,
  person: Person,
  leaving: AbortSignal,
): Promise<() => string> => {
  const cookie = await person.jar.getCookieString(origin);
  const stream = await fetch(`${origin}/auth/events`, {
    headers: { cookie, 'x-csrf': '1' },
    signal: leaving,
  });
  let heard = '';
  void (async () => {
    for await (const chunk of stream.body ?? []) heard += Buffer.from(chunk).toString();
  })().catch(() => undefined);
  return () => heard;
};

/** Sends a write, confirming that it is oneself where the gateway asks for it. */
const confirmed = async (
  person: Person,
  method: string,
  path: string,
  body?: object,
): ReturnType<Person['call']> => {
  const asked = await person.call(method, path, body);
  if (asked.status !== 403) return asked;
  const { stepUpUrl } = asked.json() as { stepUpUrl: string };
  await person.answerForms(await person.visit(stepUpUrl));
  return person.call(method, path, body);
};

test.each(['0', '30'])(
  'on a Cluster everything a user does works, with answers kept for %s s',
  async (keep) => {
    const at = await begin(false, { READ_KEEP_SECONDS: keep });
    const [person, other] = [at.person(), at.person()];
    await person.signIn();
    await other.signIn();
    const leaving = new AbortController();
    const heard = await listen(at, other, leaving.signal);
    const list = async (): Promise<{ id: string; name?: string }[]> => {
      const answer = await person.call('GET', methods);
      expect(answer.status).toBe(200);
      return (answer.json() as { authentication_methods: { id: string; name?: string }[] })
        .authentication_methods;
    };
    const before = (await list()).length;

    const begun = await confirmed(person, 'POST', methods, { type: 'totp' });
    expect(begun.status).toBe(202);
    const { id = '', auth_session, manual_input_code } = begun.json() as Record<string, string>;
    const path = `${methods}/${encodeURIComponent(id)}`;
    const verified = await person.call('POST', `${path}/verify`, {
      auth_session,
      otp_code: codeOf(manual_input_code ?? ''),
    });
    expect(verified.status).toBe(201);
    expect(await list()).toHaveLength(before + 1);
    const added = (verified.json() as { id: string }).id;
    const own = `${methods}/${encodeURIComponent(added)}`;
    expect((await confirmed(person, 'PATCH', own, { name: 'the one in the drawer' })).status).toBe(
      200,
    );
    expect((await list()).find((each) => each.id === added)).toMatchObject({
      name: 'the one in the drawer',
    });
    expect((await confirmed(person, 'DELETE', own)).status).toBe(204);
    expect(await list()).toHaveLength(before);
    // Told to a page on whichever gateway.
    expect(await until(() => heard().includes('event: method_changed'))).toBe(true);

    const { sessions } = (await person.call('GET', '/auth/sessions')).json() as {
      sessions: { id: string; current: boolean }[];
    };
    expect(sessions).toHaveLength(2);
    const theirs = sessions.find(({ current }) => !current);
    expect((await person.call('DELETE', `/auth/sessions/${theirs?.id ?? ''}`)).status).toBe(204);
    expect((await other.call('GET', '/auth/profile')).status).toBe(401);
    expect(await until(() => heard().includes('event: ended'))).toBe(true);
    leaving.abort();

    await other.signIn();
    expect(
      ((await person.call('DELETE', '/auth/sessions')).json() as { ended: number }).ended,
    ).toBe(1);
    await other.signIn();
    await fetch(`${at.tenant.url}/_control/logout`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: at.user.email }),
    });
    const gone = async (who: Person): Promise<boolean> =>
      (await who.call('GET', '/auth/profile')).status === 401;
    expect(await until(async () => (await gone(person)) && (await gone(other)))).toBe(true);

    await person.signIn();
    const cookie = await person.jar.getCookieString(at.origin);
    expect((await person.visit('/auth/logout')).url).toBe(`${at.origin}/`);
    expect((await fetch(`${at.origin}/auth/profile`, { headers: { cookie } })).status).toBe(401);
  },
);

test('on a Cluster an expired token is refreshed once for 20 requests on two gateways', async () => {
  const at = await begin(false, { READ_KEEP_SECONDS: '0' }, 3);
  const person = at.person();
  await person.signIn();
  await sleep(3_100);
  at.tenant.configure({ tokens: { accessTokenSeconds: 600 } });
  const answers = await Promise.all(
    Array.from({ length: 20 }, async () => person.call('GET', methods)),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
  expect(
    at.tenant.requests().filter(({ parameters }) => parameters?.['grant_type'] === 'refresh_token'),
  ).toHaveLength(1);
});

test.each([
  ['a replica takes its place', true],
  ['nobody takes its place, until it is started again', false],
])(
  'a node of the Cluster dies and %s: its users get 503 with the cookie kept, the others go on, and nobody whose data lives is signed out',
  async (_how, replicas) => {
    const at = await begin(replicas);
    const nodes = lab?.masters ?? [];
    // People sign in until each of the nodes holds somebody's session.
    const homes = new Map<number, Person[]>();
    const known = new Set<string>();
    for (let i = 0; i < 40 && homes.size < 3; i += 1) {
      const person = at.person();
      await person.signIn();
      for (const [index, node] of nodes.entries()) {
        for (const key of ((await node.ask('KEYS', 'mab:session:*')) as string[]).filter(
          (each) => !known.has(each),
        )) {
          known.add(key);
          homes.set(index, [...(homes.get(index) ?? []), person]);
        }
      }
    }
    expect(homes.size).toBe(3);
    const [hit] = homes.get(1) ?? [];
    const others = [...(homes.get(0) ?? []), ...(homes.get(2) ?? [])];
    if (hit === undefined) throw new Error('nobody lives there');
    const cookie = await hit.jar.getCookieString(at.origin);

    // What was written a moment ago has reached the replica, as it would have in any second but the last.
    const copied = async (): Promise<boolean> => {
      const [, all = ''] =
        /master_repl_offset:(\d+)/.exec(String(await nodes[1]?.ask('INFO', 'replication'))) ?? [];
      const [, copy = ''] =
        /slave0:[^\r]*state=online,offset=(\d+)/.exec(
          String(await nodes[1]?.ask('INFO', 'replication')),
        ) ?? [];
      return copy !== '' && Number(copy) >= Number(all);
    };
    if (replicas) expect(await until(copied)).toBe(true);
    await nodes[1]?.stop();
    const seen: number[] = [];
    const during = performance.now() + 1_500;
    while (performance.now() < during) {
      const answer = await hit.call('GET', methods);
      seen.push(answer.status);
      if (answer.status === 503) {
        expect(answer.json()).toMatchObject({ code: 'store_unavailable' });
        expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
        expect(answer.headers.getSetCookie()).toEqual([]);
      }
      for (const other of others) expect((await other.call('GET', methods)).status).toBe(200);
    }
    expect(seen).toContain(503);
    expect(seen.filter((status) => status !== 503 && status !== 200)).toEqual([]);
    if (!replicas) await nodes[1]?.start();
    const answersAgain = async (): Promise<boolean> =>
      [200, 401].includes((await hit.call('GET', methods)).status);
    expect(await until(answersAgain)).toBe(true);
    // Its data went with the node where nobody had a copy: then it is a sign-in.
    expect((await hit.call('GET', methods)).status).toBe(replicas ? 200 : 401);
    expect(await hit.jar.getCookieString(at.origin)).toBe(cookie);
    for (const other of others) expect((await other.call('GET', methods)).status).toBe(200);
  },
);
